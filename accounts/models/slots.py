"""The pace of requests, kept in the database."""

from django.db import models


class RequestSlot(models.Model):
    """The time from which the next request of one account, or of one outgoing IP, may be sent (unix seconds).

    `held_until` is a pause that Kommo asked for. `written_at`: a row that was written later than now is of a clock
    that was set back since.
    """

    key = models.CharField(primary_key=True, max_length=120)
    next_at = models.FloatField(default=0)
    held_until = models.FloatField(default=0)
    written_at = models.FloatField(default=0)
