"""The block of our IP address, which stops everything."""

from django.db import models


class IpBlock(models.Model):
    """The last time that Kommo refused our IP address, by the database's clock; at most one row."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
