"""Who decided what, when and why: the one place that writes it down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.contrib.auth.models import User

from accounts.models import Account, SyncGroup
from syncing.models import ApiKey, AuditEntry, SyncRun, Trigger
from syncing.records.text import clean

LONGEST_REASON = 500  # characters, as in the model


@dataclass(frozen=True)
class Actor:
    """Who did it, and by which door (`via`: a value of Trigger).

    `name` is shown. Who it is stays the same when a key or a user gets another name: the user's id, with their name for
    the time after the user was deleted, and the id of the key. Of a key, the user is the one who made it.
    """

    name: str
    via: str
    user_id: int | None = None
    username: str = ""
    key_id: int | None = None

    @classmethod
    def of_user(cls, user: User, via: str) -> Self:
        return cls(user.get_username(), via, user.pk, user.get_username())

    @classmethod
    def of_key(cls, api_key: ApiKey) -> Self:
        maker = api_key.made_by
        name = maker.get_username() if maker else api_key.maker_name
        return cls(api_key.name, Trigger.API, api_key.made_by_id, name, api_key.pk)

    @classmethod
    def who_asked_for(cls, run: SyncRun) -> Self:
        name, user_id = run.requester_name or run.trigger, run.requester_user_id or run.requested_by_id
        return cls(name, run.trigger, user_id, run.requester_username, run.requester_key_id)

    @property
    def as_requester(self) -> dict[str, Any]:
        """The columns of a run that this actor asks for."""
        return {
            "requester_name": clean(self.name)[:150],
            "requester_user_id": self.user_id,
            "requester_username": self.username,
            "requester_key_id": self.key_id,
        }

    def is_same_person_as(self, other: "Actor") -> bool:
        """True for one key, or one user. A user who was deleted may have come back under the same name."""
        if self.key_id is not None and self.key_id == other.key_id:
            return True
        if self.user_id is None or other.user_id is None:
            return False  # machines, and keys of the command line: nobody knows who holds them
        if self.user_id == other.user_id:
            return True
        here = set(User.objects.filter(pk__in=(self.user_id, other.user_id)).values_list("pk", flat=True))
        return len(here) < 2 and self.username.casefold() == other.username.casefold()


COMMAND = Actor("command line", Trigger.COMMAND)
API = Actor("REST API", Trigger.API)
WEBHOOK = Actor("webhook", Trigger.WEBHOOK)
SCHEDULE = Actor("schedule", Trigger.SCHEDULE)


def note(
    action: str,
    *,
    by: Actor,
    run: SyncRun | None = None,
    group: SyncGroup | None = None,
    account: Account | None = None,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Adds an entry; to be called in the transaction of what it speaks of. The group is that of the run, if any."""
    group = group or (run.group if run else None)
    return AuditEntry.objects.create(
        action=action,
        actor=clean(by.name)[:150],
        via=by.via,
        run=run.pk if run else None,
        group=group.name if group else "",
        account=account.subdomain if account else "",
        reason=tidy(reason),
        details=clean(details or {}),
    )


def tidy(reason: str) -> str:
    """A reason as it is kept."""
    return str(clean(reason)).strip()[:LONGEST_REASON]
