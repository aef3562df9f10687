"""What only a slave has is called by its name as it is (engine.slave_only): `=old` becomes `=Old`."""

import unicodedata

from django.db import migrations

LONGEST = 500


def exact(key, name):
    """The key with the item's own name in the place of the folded one; as it is where it is none of those."""
    head, equals, rest = key.partition("=")
    folded = " ".join(unicodedata.normalize("NFC", name).split()).casefold().replace("#", "##")
    type_, colon, inner = rest.partition(":")
    if not equals:
        return key
    if head.endswith("/") and colon and inner.startswith(folded):
        rest = f"{type_}:" + name.replace("#", "##") + inner[len(folded):]
    elif rest.startswith(folded):
        rest = name.replace("#", "##") + rest[len(folded):]
    return (head + equals + rest)[:LONGEST]


def rename(apps, schema_editor):
    for row in apps.get_model("syncing", "AcceptedDifference").objects.filter(key__contains="="):
        row.key = exact(row.key, row.name)
        row.save(update_fields=["key"])
    for drift in apps.get_model("syncing", "Drift").objects.all():
        if any("=" in row["key"] for row in drift.differences):
            drift.differences = [{**row, "key": exact(row["key"], row["name"])} for row in drift.differences]
            drift.save(update_fields=["differences"])


class Migration(migrations.Migration):

    dependencies = [
        ("syncing", "0002_safe_changes"),
    ]

    operations = [migrations.RunPython(rename, migrations.RunPython.noop)]
