"""Runs, counted since the installation: the numbers stay when the runs are deleted."""

from django.db import models

from syncing.models.states import RunState, Trigger


class RunTotal(models.Model):
    """The number of runs that ended in one state, by what had started them; it only grows."""

    state = models.CharField(max_length=9, choices=RunState.choices)
    trigger = models.CharField(max_length=8, choices=Trigger.choices)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["state", "trigger"], name="one_total_per_state_and_trigger")]

    def __str__(self) -> str:
        return f"{self.state} {self.trigger}: {self.count}"
