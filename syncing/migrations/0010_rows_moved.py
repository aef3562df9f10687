"""Moves the rows that stood in tables of another name to those of their own, and back."""

from datetime import datetime, timezone

from django.db import migrations

BLOCK = "blocked_at"  # was a key among the request slots


def move_block(apps, schema_editor):
    slots = apps.get_model("accounts", "RequestSlot").objects.filter(pk=BLOCK)
    for slot in slots:
        at = datetime.fromtimestamp(slot.next_at, timezone.utc)
        apps.get_model("syncing", "IpBlock").objects.update_or_create(pk=1, defaults={"at": at})
    slots.delete()


def move_block_back(apps, schema_editor):
    slots = apps.get_model("accounts", "RequestSlot").objects
    for block in apps.get_model("syncing", "IpBlock").objects.all():
        slots.update_or_create(pk=BLOCK, defaults={"next_at": block.at.timestamp()})
        block.delete()


def move_proposals(apps, schema_editor):
    """The snapshot of a promotion was no reading of the master, but what the master was to become."""
    runs, proposals = apps.get_model("syncing", "SyncRun").objects, apps.get_model("syncing", "PromotionProposal").objects
    promotions = runs.filter(purpose="promotion", snapshot__isnull=False).order_by("pk")
    for pk in list(promotions.values_list("pk", flat=True)):
        row = runs.select_related("snapshot").get(pk=pk).snapshot
        proposal = proposals.create(group_id=row.group_id, type=row.type, document=row.document)
        proposals.filter(pk=proposal.pk).update(proposed_at=row.taken_at)
        runs.filter(pk=pk).update(proposal=proposal, snapshot=None)
        if not runs.filter(snapshot=row).exists():
            row.delete()


def move_proposals_back(apps, schema_editor):
    """The fingerprint was of the master that was read, and nothing has compared it."""
    runs, proposals = apps.get_model("syncing", "SyncRun").objects, apps.get_model("syncing", "PromotionProposal").objects
    snapshots = apps.get_model("syncing", "MasterSnapshot").objects
    for pk in list(proposals.order_by("pk").values_list("pk", flat=True)):
        proposal = proposals.get(pk=pk)
        row = snapshots.create(group_id=proposal.group_id, type=proposal.type, document=proposal.document, fingerprint="")
        snapshots.filter(pk=row.pk).update(taken_at=proposal.proposed_at)
        runs.filter(proposal=proposal).update(snapshot=row, proposal=None)
        proposal.delete()


def rename_permissions(apps, old, new):
    """Whoever had them keeps them; new ones may be there if somebody stopped before this migration."""
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="syncing")
    for may in ("add", "change", "delete", "view"):
        for permission in permissions.filter(codename=f"{may}_{old}"):
            permissions.filter(codename=f"{may}_{new}", content_type=permission.content_type_id).delete()
            permissions.filter(pk=permission.pk).update(codename=f"{may}_{new}", name=f"Can {may} {new}")


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0007_clock_set_back"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("syncing", "0009_tables_by_their_names"),
    ]

    operations = [
        migrations.RunPython(move_block, move_block_back),
        migrations.RunPython(move_proposals, move_proposals_back),
        migrations.RunPython(
            lambda apps, _: rename_permissions(apps, "lane", "process"),
            lambda apps, _: rename_permissions(apps, "process", "lane"),
        ),
    ]
