"""Promotion: items of a slave are proposed for the master as a plan; approving it is the only way to write a master."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import SECRETS, Account, SyncGroup
from accounts.refusals import Refusal
from syncing.engine.promotion import ATTRIBUTES, POSITION
from syncing.engine.refs import Kind
from syncing.error_boundary import survived
from syncing.models import RUN_OPEN, AuditAction, AuditEntry, LogEntry, RunMode, RunPurpose, RunType, SyncRun
from syncing.policy import scope_of
from syncing.records.log import log
from syncing.selectors.promotion import PICK, PromotionCandidate, candidates, keys_called, names_of
from syncing.services import audit
from syncing.services.actors import who_asked_for
from syncing.services.runs.create import Order, Started, locked, make_run
from syncing.services.runs.start import start_run

MOST = 200  # items of one proposal
OF_PIPELINES = frozenset({Kind.PIPELINE, Kind.STAGE})

Picked = Sequence[Mapping[str, Any]]


def propose(
    source: Account,
    picked: Picked,
    *,
    by: Actor,
    reason: str = "",
    to_workers: bool = True,
) -> Started:
    """Starts the plan run that shows what the picks would change in the master. Raises Refusal.

    `picked`: {kind, slave_key, attribute} each; without an attribute the whole item. `source` must be a slave.
    """
    picks = _sound(picked)
    with locked(source.group) as group:
        master = _checked(group, source)
        order = Order(group, _type_of(picks, group), RunMode.PLAN, RunPurpose.PROMOTION, source=source, picked=picks)
        started = make_run(order, [master], by=by, to_workers=to_workers)
        details = {"picked": picks, "items": names_of(source, picks)}
        audit.note(AuditAction.PROPOSED, by=by, run=started.run, account=source, reason=reason, details=details)
    return started


def by_name(source: Account, wanted: Picked) -> list[dict[str, str]]:
    """Picks for items that are named ({kind, name, attribute}) as the account's drift names them.

    Those that have a slave_key already stay as they are. Raises Refusal for a name that fits none, or several.
    """
    found = candidates(source)
    return [_named(source, found, item) for item in wanted]


def _named(source: Account, found: Sequence[PromotionCandidate], item: Mapping[str, Any]) -> dict[str, str]:
    kind, name, attribute = (str(item.get(part) or "") for part in ("kind", "name", "attribute"))
    if item.get("slave_key"):
        return {"kind": kind, "slave_key": str(item["slave_key"]), "attribute": attribute}
    keys = keys_called(found, kind, name)
    names = {"kind": kind, "name": name, "account": source.subdomain}
    if not keys:
        raise Refusal(
            "no_such_item",
            _("In %(account)s there is no %(kind)s %(name)r that could be promoted.") % names,
            _("Look for drift first; only what the master lacks, or somebody changed in the slave, can be promoted."),
        )
    if len(keys) > 1:
        raise Refusal(
            "ambiguous",
            _("%(account)s has several items %(kind)s %(name)r.") % names,
            _("Name the parent as well (PARENT/NAME), or the key: %(keys)s.") % {"keys": ", ".join(keys)},
        )
    return {"kind": kind, "slave_key": keys[0], "attribute": attribute}


def _sound(picked: Picked) -> list[dict[str, str]]:
    """Each once and in a fixed order, so that the same proposal is the same; raises Refusal."""
    picks = {tuple(str(item.get(name, "")) for name in PICK) for item in picked}
    if not picks:
        raise Refusal("nothing_picked", _("Nothing was picked."), _("Pick at least one item."))
    if len(picks) > MOST:
        raise Refusal(
            "too_much", _("More than %(most)d items were picked.") % {"most": MOST}, _("Promote them in parts.")
        )
    for kind, key, attribute in sorted(picks):
        _check_pick(kind, key, attribute)
    return [dict(zip(PICK, pick, strict=True)) for pick in sorted(picks)]


def _check_pick(kind: str, key: str, attribute: str) -> None:
    if kind not in {each.value for each in Kind} or not key:
        raise Refusal(
            "bad_pick",
            _("%(kind)s %(key)s is not an item.") % {"kind": kind, "key": key},
            _("Kinds: %(kinds)s.") % {"kinds": ", ".join(each.value for each in Kind)},
        )
    if attribute == POSITION:
        raise Refusal(
            "bad_pick", _("The order of items in the master cannot be changed from here."), _("Move it in Kommo.")
        )
    if attribute and attribute not in ATTRIBUTES[Kind(kind)]:
        raise Refusal(
            "bad_pick",
            _("%(attribute)s of a %(kind)s cannot be promoted.") % {"attribute": attribute, "kind": kind},
            _("Attributes: %(attributes)s.") % {"attributes": ", ".join(ATTRIBUTES[Kind(kind)]) or "-"},
        )


def _checked(group: SyncGroup, source: Account) -> Account:
    """The master that is to be written; raises Refusal."""
    members = Account.objects.filter(group=group).defer(*SECRETS)
    slave = members.filter(pk=source.pk, role=Account.Role.SLAVE).first()
    if slave is None:
        raise Refusal(
            "not_a_slave",
            _("%(account)s is not a slave of the group %(group)s.")
            % {"account": source.subdomain, "group": group.name},
            _("Promote from a slave to its master."),
        )
    master = members.filter(role=Account.Role.MASTER).first()
    if master is None:
        raise Refusal(
            "no_master",
            _("The group %(group)s has no master.") % {"group": group.name},
            _("Give one of its accounts the role of the master."),
        )
    for account in (master, slave):
        if account.paused:
            raise Refusal("paused", _("%(account)s is paused.") % {"account": account}, _("Resume it first."))
    return master


def _type_of(picks: Sequence[Mapping[str, str]], group: SyncGroup) -> str:
    """No more than is needed; fields name stages, so with both kinds everything is read."""
    kinds = {Kind(pick["kind"]) for pick in picks}
    if kinds <= OF_PIPELINES:
        run_type = RunType.PIPELINES
    elif kinds & OF_PIPELINES:
        run_type = RunType.FULL
    else:
        run_type = RunType.CUSTOM_FIELDS
    scope = scope_of(run_type, group)
    if scope is None or (run_type == RunType.FULL and scope.value != RunType.FULL):
        raise Refusal(
            "not_in_policy",
            _("The policy of the group %(group)s does not cover all that was picked.") % {"group": group.name},
            _("Pick other items, or change the group's policy."),
        )
    return run_type


# -- afterwards --


def follow_up() -> int:
    """Starts the runs by which the slaves follow a master that was written; gives how many. May run anywhere, at once.

    What is owed is told by the rows, so that nothing is forgotten when a process dies in between.
    """
    count = 0
    for pk in list(_owed().values_list("pk", flat=True)):
        with survived(f"what follows run {pk}"):
            count += _follow(pk)
    return count


def follow(run_id: int) -> None:
    """What an ended run owes, if it is one of those."""
    if _owed().filter(pk=run_id).exists():
        _follow(run_id)


def _owed() -> Any:
    """Promotions that wrote the master, of which nobody has said so yet."""
    told = AuditEntry.objects.filter(action=AuditAction.PROMOTED, run__isnull=False).values("run")
    wrote = Q(account_runs__created__gt=0) | Q(account_runs__updated__gt=0)
    wrote |= Q(account_runs__adopted__gt=0)  # made by an attempt that died before it could say so
    promotions = SyncRun.objects.filter(wrote, purpose=RunPurpose.PROMOTION, mode=RunMode.APPLY)
    return promotions.exclude(state__in=RUN_OPEN).exclude(pk__in=told).order_by("pk")


def _follow(run_id: int) -> bool:
    run = SyncRun.objects.select_related("group", "source", "requested_by").get(pk=run_id)
    with locked(run.group) as group:
        if not _owed().filter(pk=run_id).exists():
            return False  # another process was faster
        by = who_asked_for(run)
        follower, problem = _started(run, group, by)
        sentence = problem or _("Run %(run)d copies it to the slaves.") % {"run": follower}
        log(run.pk, sentence, code="promoted", level=LogEntry.Level.WARNING if problem else LogEntry.Level.INFO)
        details = {"picked": run.picked, "followed_by": follower}
        audit.note(AuditAction.PROMOTED, by=by, run=run, account=run.source, details=details)
    return True


def _started(run: SyncRun, group: SyncGroup, by: Actor) -> tuple[int | None, str]:
    """The number of the run for all slaves, only a plan where plans need approval; or why there is none."""
    try:
        started = start_run(
            group=group,
            mode=RunMode.PLAN if group.requires_approval else RunMode.APPLY,
            by=by,
        )
    except Refusal as error:
        return None, str(error)
    return started.run.pk, ""
