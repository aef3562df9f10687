"""The actors that only syncing knows: machines, API keys, and whoever asked for a run."""

from accounts.actors import Actor
from syncing.models import ApiKey, SyncRun, Trigger

COMMAND = Actor("command line", Trigger.COMMAND)
WEBHOOK = Actor("webhook", Trigger.WEBHOOK)
SCHEDULE = Actor("schedule", Trigger.SCHEDULE)
WATCH = Actor("watcher", Trigger.WATCH)
RETRY = Actor("retry", Trigger.RETRY)
HEAL = Actor("healing", Trigger.HEAL)
AUTOMATION = Actor("automation", Trigger.SCHEDULE)  # does what is due by itself


def of_key(key: ApiKey) -> Actor:
    """Returns the key as the one who asks; the person who made it answers for it."""
    maker = key.made_by
    name = maker.get_username() if maker else key.maker_name
    return Actor(key.name, Trigger.API, key.made_by_id, name, key.pk, key=key)


def who_asked_for(run: SyncRun) -> Actor:
    """Returns who asked for the run, as its row remembers it: a person who is still here, else only names and ids."""
    name, user_id = run.requester_name or run.trigger, run.requester_user_id or run.requested_by_id
    return Actor(name, run.trigger, user_id, run.requester_username, run.requester_key_id, user=run.requested_by)
