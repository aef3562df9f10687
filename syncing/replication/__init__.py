"""One account run, from reading to verified: no ORM, so that any number of threads may do it."""

from syncing.replication.account_run import replicate

__all__ = ["replicate"]
