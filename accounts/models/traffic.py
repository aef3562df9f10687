"""The requests to Kommo of all processes and machines, counted since the installation."""

from django.db import models


class RequestTotals(models.Model):
    """Requests by their outcome, and the seconds that they took; at most one row, whose numbers only grow."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    ok = models.PositiveBigIntegerField(default=0)
    rate_limited = models.PositiveBigIntegerField(default=0, help_text="Answered 429.")
    client_error = models.PositiveBigIntegerField(default=0, help_text="Answered with another 4xx.")
    server_error = models.PositiveBigIntegerField(default=0, help_text="Answered 5xx.")
    no_answer = models.PositiveBigIntegerField(default=0, help_text="Timeouts, and connections that failed.")
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{self.ok} answered well"
