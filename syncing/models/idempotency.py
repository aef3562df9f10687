"""Answers that are given again when a request comes again under the same Idempotency-Key."""

from django.db import models

from syncing.models.keys import ApiKey


class IdempotentAnswer(models.Model):
    """The answer to a request of an API key, under the text of its Idempotency-Key; kept for a day."""

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="+")
    text = models.CharField(max_length=255)
    target = models.CharField(max_length=64, help_text="SHA-256 of the method and the address.")
    content = models.CharField(max_length=64, help_text="SHA-256 of the request's body.")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "text"], name="answered_once_per_key")]

    def __str__(self) -> str:
        return f"{self.text}: {self.status}"
