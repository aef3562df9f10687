"""The row that shows whether the database can store."""

from django.db import models


class WriteProbe(models.Model):
    """The last time, by the database's clock, that the database was asked to store something; at most one row."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.written_at:%Y-%m-%d %H:%M}"
