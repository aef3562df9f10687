"""Moves the rows that stood in tables of another name to those of their own, and back."""

from datetime import datetime, timezone

from django.db import migrations

BLOCK = "blocked_at"  # was a key among the request slots


def move_block(apps, schema_editor):
    slots, blocks = (_rows(apps, schema_editor, *name) for name in (("accounts", "RequestSlot"), ("syncing", "IpBlock")))
    for slot in slots.filter(pk=BLOCK):
        blocks.update_or_create(pk=1, defaults={"at": datetime.fromtimestamp(slot.next_at, timezone.utc)})
    slots.filter(pk=BLOCK).delete()


def move_block_back(apps, schema_editor):
    slots, blocks = (_rows(apps, schema_editor, *name) for name in (("accounts", "RequestSlot"), ("syncing", "IpBlock")))
    for block in blocks.all():
        slots.update_or_create(pk=BLOCK, defaults={"next_at": block.at.timestamp()})
    blocks.all().delete()


def move_proposals(apps, schema_editor):
    """The snapshot of a promotion was no reading of the master, but what the master was to become."""
    runs, proposals, snapshots = _of_promotions(apps, schema_editor)
    promotions = runs.filter(purpose="promotion", snapshot__isnull=False).order_by("pk")
    for pk, snapshot in list(promotions.values_list("pk", "snapshot")):
        row = snapshots.get(pk=snapshot)
        proposal = proposals.create(group_id=row.group_id, type=row.type, document=row.document)
        proposals.filter(pk=proposal.pk).update(proposed_at=row.taken_at)
        runs.filter(pk=pk).update(proposal=proposal, snapshot=None)
        if not runs.filter(snapshot=row).exists():
            row.delete()


def move_proposals_back(apps, schema_editor):
    """The fingerprint was of the master that was read, and nothing has compared it."""
    runs, proposals, snapshots = _of_promotions(apps, schema_editor)
    for pk in list(proposals.order_by("pk").values_list("pk", flat=True)):
        proposal = proposals.get(pk=pk)
        row = snapshots.create(group_id=proposal.group_id, type=proposal.type, document=proposal.document, fingerprint="")
        snapshots.filter(pk=row.pk).update(taken_at=proposal.proposed_at)
        runs.filter(proposal=proposal).update(snapshot=row, proposal=None)
        proposal.delete()


def rename_permissions(apps, schema_editor):
    _rename_permissions(apps, schema_editor, "lane", "process")


def rename_permissions_back(apps, schema_editor):
    _rename_permissions(apps, schema_editor, "process", "lane")


def _rename_permissions(apps, schema_editor, old, new):
    """Whoever had them keeps them; new ones may be there if somebody stopped before this migration."""
    permissions = _rows(apps, schema_editor, "auth", "Permission").filter(content_type__app_label="syncing")
    for may in ("add", "change", "delete", "view"):
        for permission in permissions.filter(codename=f"{may}_{old}"):
            permissions.filter(codename=f"{may}_{new}", content_type=permission.content_type_id).delete()
            permission.codename, permission.name = f"{may}_{new}", f"Can {may} {new}"
            permission.save(update_fields=["codename", "name"])


def _of_promotions(apps, schema_editor):
    return [_rows(apps, schema_editor, "syncing", name) for name in ("SyncRun", "PromotionProposal", "MasterSnapshot")]


def _rows(apps, schema_editor, app, name):
    return apps.get_model(app, name).objects.using(schema_editor.connection.alias)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0007_clock_set_back"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("syncing", "0009_tables_by_their_names"),
    ]

    operations = [
        migrations.RunPython(move_block, move_block_back),
        migrations.RunPython(move_proposals, move_proposals_back),
        migrations.RunPython(rename_permissions, rename_permissions_back),
    ]
