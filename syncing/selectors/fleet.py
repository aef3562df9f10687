"""Reads for the fleet: every account with its last run and its drift, and every slave in the one state that counts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from django.db.models import Case, F, JSONField, OuterRef, QuerySet, Subquery, When
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import HEALTH_FINE, SECRETS, Account
from accounts.services.connecting.attempts import is_connectable
from accounts.text_search import is_in
from syncing.models import ACCOUNT_BAD, ACCOUNT_OPEN, AccountRun, AccountState, Standing
from syncing.presentation.fleet import FLEET_STATES, FleetState
from syncing.presentation.labels import ago
from syncing.selectors.drift import EDITED
from syncing.selectors.filters import ListFilters, an_id, one_of
from syncing.selectors.standing import with_standing

DONE = (AccountState.IN_SYNC, AccountState.CHANGED)
STATE_OF_STANDING = {
    Standing.IN_SYNC: "equal",
    Standing.DRIFTED: "differs",
    Standing.CONFLICT: "conflict",
    Standing.NOT_KNOWN: "unknown",
    Standing.NEVER: "unread",
}


@dataclass(frozen=True)
class FleetFilters(ListFilters):
    """What somebody looks for among the tiles; `show`: a state."""

    group: str = an_id()
    show: str = one_of(*FLEET_STATES)


@dataclass(frozen=True)
class Tile:
    """One slave; `words` name its state, more exactly than the label of the state does."""

    account_id: int
    group_id: int
    name: str
    short: str  # without the words that all names begin with
    subdomain: str
    state: FleetState
    words: str

    def mentions(self, text: str) -> bool:
        return is_in(text, self.name, self.subdomain)


@dataclass(frozen=True)
class FleetCount:
    state: FleetState
    count: int


@dataclass(frozen=True)
class Fleet:
    """The slaves that were asked for: those `shown`, and how many are in each state whatever is shown."""

    shown: Sequence[Tile]
    counts: Sequence[FleetCount]
    total: int


def fleet_accounts(moment: datetime | None = None) -> list[Any]:
    """Returns all accounts by name `with_facts` as of `moment` (None: now), in one query."""
    accounts = with_facts(Account.objects.defer(*SECRETS), moment or timezone.now())
    return sorted(accounts, key=lambda account: (str(account).casefold(), account.pk))


def with_facts(accounts: QuerySet[Account], moment: datetime) -> QuerySet[Any]:
    """Adds to accounts how they stand at `moment`, their last run and their drift.

    Each has `last_state` (of its youngest account run) and `drift_edits`, or None, `edited_rows`, the differences of
    those that were edited, and `is_connectable`.
    """
    youngest = AccountRun.objects.filter(account=OuterRef("pk")).order_by("-pk").values("state")[:1]
    facts: QuerySet[Any] = with_standing(accounts, moment).annotate(
        last_state=Subquery(youngest),
        is_connectable=is_connectable(),
        drift_edits=F("drift__by_slave") + F("drift__by_both"),
        edited_rows=Case(When(EDITED, then=F("drift__differences")), output_field=JSONField()),
    )
    return facts


def fleet_of(
    accounts: Iterable[Any], moment: datetime, *, group: int | None = None, text: str = "", state: str = ""
) -> Fleet:
    """Returns the slaves of a group (None: of all) that mention `text`, in one state ("": in any), as of `moment`."""
    slaves = (account for account in accounts if account.role == Account.Role.SLAVE)
    own = [account for account in slaves if group in (None, account.group_id)]
    begin = len(common_words([str(account) for account in own]))
    tiles = [_tile(account, moment, begin) for account in own]
    tiles = [tile for tile in tiles if tile.mentions(text)]
    numbers = Counter(tile.state.key for tile in tiles)
    return Fleet(
        shown=[tile for tile in tiles if tile.state.key == state] if state in FLEET_STATES else tiles,
        counts=[FleetCount(each, numbers[each.key]) for each in FLEET_STATES.values() if numbers[each.key]],
        total=len(tiles),
    )


def common_words(names: Sequence[str]) -> str:
    """Returns the whole words that all names begin with, if each of several names goes on behind them."""
    if len(names) < 2:
        return ""
    pairs = zip(min(names), max(names), strict=False)  # what these two share, all between them do
    common = "".join(one for one, _other in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return common[: common.rfind(" ") + 1]


def _tile(account: Any, moment: datetime, begin: int) -> Tile:
    """Returns the tile of a slave; its short name leaves out the first `begin` characters."""
    state, name = FLEET_STATES[state_of(account, moment)], str(account)
    words = str(state.label)
    if state.key == "lost":
        words = str(account.get_health_display())
    elif state.key == "failed":
        words = str(AccountState(account.last_state).label)
    elif state.key in ("edited", "differs"):
        words = f"{words} · {account.differences}"
    elif state.key == "unknown":
        words = _("Not known, last read %(when)s") % {"when": ago(account.read_at)}
    return Tile(account.pk, account.group_id, name, name[begin:], account.subdomain, state, words)


def state_of(account: Any, moment: datetime) -> str:
    """Returns the key of the one state that matters most to a person now."""
    if account.last_state in ACCOUNT_OPEN:
        return "working"
    if account.is_paused_at(moment):
        return "paused"
    if account.health not in HEALTH_FINE:
        return "lost"
    if account.last_state in ACCOUNT_BAD:
        return "failed"
    if account.drift_edits:
        return "edited"
    return STATE_OF_STANDING[account.standing]
