import django.db.models.deletion
from django.db import migrations, models

TYPES = [
    ("full", "Everything"), ("pipelines", "Pipelines and stages"), ("custom_fields", "Field groups and custom fields")
]


class Migration(migrations.Migration):
    """Processes, the block of our IP address and proposals for the master get tables of their own."""

    dependencies = [
        ("accounts", "0007_clock_set_back"),
        ("syncing", "0008_pending_creations"),
    ]

    operations = [
        migrations.RenameModel("Lane", "Process"),
        migrations.AlterModelOptions(
            name="process",
            options={
                "verbose_name": "process", "verbose_name_plural": "processes", "ordering": ["started_at", "name"],
            },
        ),
        migrations.AlterField(
            model_name="process",
            name="run",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="processes",
                to="syncing.syncrun", verbose_name="run",
            ),
        ),
        migrations.CreateModel(
            name="IpBlock",
            fields=[
                ("id", models.PositiveSmallIntegerField(
                    default=1, editable=False, primary_key=True, serialize=False,
                )),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="PromotionProposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("type", models.CharField(choices=TYPES, max_length=13, verbose_name="type")),
                ("document", models.JSONField(verbose_name="document")),
                ("proposed_at", models.DateTimeField(auto_now_add=True)),
                ("group", models.ForeignKey(
                    on_delete=django.db.models.deletion.CASCADE, related_name="proposals", to="accounts.syncgroup",
                    verbose_name="sync group",
                )),
            ],
            options={
                "verbose_name": "promotion proposal", "verbose_name_plural": "promotion proposals",
                "ordering": ["-pk"],
            },
        ),
        migrations.AddField(
            model_name="syncrun",
            name="proposal",
            field=models.OneToOneField(
                blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL,
                related_name="run", to="syncing.promotionproposal",
            ),
        ),
    ]
