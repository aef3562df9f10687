from django.db import migrations


class Migration(migrations.Migration):
    """Apart from the moving itself: PostgreSQL alters no table in the transaction that filled it."""

    dependencies = [
        ('accounts', '0002_connections'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='account',
            name='client_id',
        ),
        migrations.RemoveField(
            model_name='account',
            name='client_secret',
        ),
        migrations.RemoveField(
            model_name='account',
            name='redirect_uri',
        ),
        migrations.RemoveField(
            model_name='account',
            name='refresh_token',
        ),
    ]
