"""The pace of requests, kept in the database."""

from django.db import models


class RequestSlot(models.Model):
    """When the next request of one account, or of one outgoing IP, may be sent (unix seconds)."""

    key = models.CharField(primary_key=True, max_length=120)
    next_at = models.FloatField(default=0)
