"""The worker: a supervisor, and below it django-q2's cluster in a session of its own."""
