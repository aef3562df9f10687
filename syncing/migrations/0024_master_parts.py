from typing import Any

from django.db import migrations, models

from syncing.models.snapshots import part_digest


def tell_parts(apps: Any, schema_editor: Any) -> None:
    """Stores the digests of the masters that were read before there were any."""
    snapshots = apps.get_model("syncing", "MasterSnapshot").objects.using(schema_editor.connection.alias)
    for pk in list(snapshots.values_list("pk", flat=True)):
        document = snapshots.values_list("document", flat=True).get(pk=pk)
        pipelines, fields = part_digest(document, "pipelines"), part_digest(document, "groups", "fields")
        snapshots.filter(pk=pk).update(pipelines_digest=pipelines, fields_digest=fields)


class Migration(migrations.Migration):
    dependencies = [("syncing", "0023_views_of_more_lists")]

    operations = [
        migrations.AddField(
            model_name="mastersnapshot",
            name="pipelines_digest",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="mastersnapshot",
            name="fields_digest",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.RunPython(tell_parts, migrations.RunPython.noop),
    ]
