from django.conf import settings
from django.db import migrations, models
from django.db.models import Count

OPEN = ("queued", "running")


def count_ended_runs(apps, schema_editor):
    runs, totals = (
        apps.get_model("syncing", name).objects.using(schema_editor.connection.alias) for name in ("SyncRun", "RunTotal")
    )
    ended = runs.exclude(state__in=OPEN).order_by().values("state", "trigger").annotate(count=Count("pk"))
    totals.bulk_create(totals.model(**row) for row in ended)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0011_request_totals"),
        ("syncing", "0013_channels"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RunTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("planned", "Planned"),
                            ("succeeded", "Succeeded"),
                            ("partial", "Partial"),
                            ("failed", "Failed"),
                            ("refused", "Refused"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("admin", "Admin"),
                            ("command", "Command line"),
                            ("api", "REST API"),
                            ("webhook", "Webhook"),
                            ("schedule", "Schedule"),
                            ("watch", "Watcher"),
                            ("retry", "Retry"),
                            ("heal", "Healing"),
                        ],
                        max_length=8,
                    ),
                ),
                ("count", models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.AddIndex(
            model_name="accountrun",
            index=models.Index(fields=["account", "-id"], name="last_run_of_an_account"),
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(fields=["state"], name="runs_by_state"),
        ),
        migrations.AddConstraint(
            model_name="runtotal",
            constraint=models.UniqueConstraint(fields=("state", "trigger"), name="one_total_per_state_and_trigger"),
        ),
        migrations.RunPython(count_ended_runs, migrations.RunPython.noop),
    ]
