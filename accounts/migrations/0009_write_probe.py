from datetime import datetime, timezone

from django.db import migrations, models

READY = "ready"  # was a key among the request slots


def move(apps, schema_editor):
    slots, probes = _rows(apps, schema_editor)
    for slot in slots.filter(pk=READY):
        probes.create(written_at=datetime.fromtimestamp(slot.written_at, timezone.utc))
    slots.filter(pk=READY).delete()


def move_back(apps, schema_editor):
    slots, probes = _rows(apps, schema_editor)
    for probe in probes.all():
        slots.update_or_create(pk=READY, defaults={"written_at": probe.written_at.timestamp()})
    probes.all().delete()


def _rows(apps, schema_editor):
    database = schema_editor.connection.alias
    return [apps.get_model("accounts", name).objects.using(database) for name in ("RequestSlot", "WriteProbe")]


class Migration(migrations.Migration):
    """The row that shows whether the database can store gets a table of its own."""

    dependencies = [
        ("accounts", "0008_plain_labels"),
    ]

    operations = [
        migrations.CreateModel(
            name="WriteProbe",
            fields=[
                ("id", models.PositiveSmallIntegerField(
                    default=1, editable=False, primary_key=True, serialize=False,
                )),
                ("written_at", models.DateTimeField()),
            ],
        ),
        migrations.RunPython(move, move_back),
    ]
