"""Promotions: items of a slave are proposed for the master as a plan; only approving that plan writes a master."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.actors import Actor
from accounts.models import SECRETS, Account, SyncGroup
from accounts.refusals import Refusal
from syncing.engine.promotion import ATTRIBUTES, POSITION
from syncing.engine.refs import Kind
from syncing.error_boundary import survived
from syncing.models import RUN_OPEN, AuditAction, AuditEntry, LogEntry, RunMode, RunPurpose, RunType, SyncRun
from syncing.policy import scope_of
from syncing.records.log import log
from syncing.selectors.promotion import PICK, candidates, keys_called, names_of
from syncing.services import audit
from syncing.services.actors import who_asked_for
from syncing.services.runs.create import Order, Started, locked, make_run
from syncing.services.runs.start import allowed_mode, master_of, start_run

MOST = 200  # items of one proposal
OF_PIPELINES = frozenset({Kind.PIPELINE, Kind.STAGE})

Picked = Sequence[Mapping[str, Any]]


def propose(source: Account, picked: Picked, *, by: Actor, reason: str = "", to_workers: bool = True) -> Started:
    """Starts the plan run that shows what the picks would change in the master. Raises Refusal.

    `picked`: {kind, slave_key, attribute} each; without an attribute the whole item. `source` must be a slave.
    """
    picks = _valid_picks(picked)
    with locked(source.group) as group:
        master = _master_for(source, group)
        order = Order(group, _run_type(picks, group), RunMode.PLAN, RunPurpose.PROMOTION, source=source, picked=picks)
        started = make_run(order, [master], by=by, to_workers=to_workers)
        details = {"picked": picks, "items": names_of(source, picks)}
        audit.note(AuditAction.PROPOSED, by=by, run=started.run, account=source, reason=reason, details=details)
    return started


def by_name(source: Account, wanted: Picked) -> list[dict[str, str]]:
    """Returns the picks for items that are named ({kind, name, attribute}) as the account's drift names them.

    An item that has a slave_key already keeps it. Raises Refusal for a name that fits none, or several.
    """
    promotable, picks = candidates(source), []
    remedy = _("Look for drift first; only what the master lacks, or somebody changed in the slave, can be promoted.")
    for item in wanted:
        kind, name, attribute = (str(item.get(part) or "") for part in ("kind", "name", "attribute"))
        keys = [str(item["slave_key"])] if item.get("slave_key") else keys_called(promotable, kind, name)
        names = {"kind": kind, "name": name, "account": source.subdomain}
        if not keys:
            raise Refusal(
                "no_such_item",
                _("In %(account)s there is no %(kind)s %(name)r that could be promoted.") % names,
                remedy,
            )
        if len(keys) > 1:
            raise Refusal(
                "ambiguous",
                _("%(account)s has several items %(kind)s %(name)r.") % names,
                _("Name the parent as well (PARENT/NAME), or the key: %(keys)s.") % {"keys": ", ".join(keys)},
            )
        picks.append({"kind": kind, "slave_key": keys[0], "attribute": attribute})
    return picks


def _valid_picks(picked: Picked) -> list[dict[str, str]]:
    """Returns each pick once and in a fixed order, so that the same proposal is the same; raises Refusal."""
    picks = {tuple(str(item.get(name, "")) for name in PICK) for item in picked}
    if not picks:
        raise Refusal("nothing_picked", _("Nothing was picked."), _("Pick at least one item."))
    if len(picks) > MOST:
        raise Refusal(
            "too_much", _("More than %(most)d items were picked.") % {"most": MOST}, _("Promote them in parts.")
        )
    for kind, key, attribute in sorted(picks):
        if kind not in {each.value for each in Kind} or not key:
            message = _("%(kind)s %(key)s is not an item.") % {"kind": kind, "key": key}
            raise Refusal("bad_pick", message, _("Kinds: %(kinds)s.") % {"kinds": ", ".join(Kind)})
        if attribute == POSITION:
            message = _("The order of items in the master cannot be changed from here.")
            raise Refusal("bad_pick", message, _("Move it in Kommo."))
        if attribute and attribute not in ATTRIBUTES[Kind(kind)]:
            attributes = ", ".join(ATTRIBUTES[Kind(kind)]) or "-"
            message = _("%(attribute)s of a %(kind)s cannot be promoted.") % {"attribute": attribute, "kind": kind}
            raise Refusal("bad_pick", message, _("Attributes: %(attributes)s.") % {"attributes": attributes})
    return [dict(zip(PICK, pick, strict=True)) for pick in sorted(picks)]


def _master_for(source: Account, group: SyncGroup) -> Account:
    """Returns the master that a proposal of `source` would write; raises Refusal if it may not be written."""
    slaves = Account.objects.filter(group=group, role=Account.Role.SLAVE).defer(*SECRETS)
    slave = slaves.filter(pk=source.pk).first()
    if slave is None:
        raise Refusal(
            "not_a_slave",
            _("%(account)s is not a slave of the group %(group)s.")
            % {"account": source.subdomain, "group": group.name},
            _("Promote from a slave to its master."),
        )
    master = master_of(group)
    for account in (master, slave):
        if account.is_paused:
            raise Refusal("paused", _("%(account)s is paused.") % {"account": account}, _("Resume it first."))
    return master


def _run_type(picks: Sequence[Mapping[str, str]], group: SyncGroup) -> str:
    """Returns the smallest type of run that covers the picks; raises Refusal if the policy does not cover it.

    Fields name stages, so with both kinds everything is read.
    """
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
    """Starts the runs that copy a written master to the slaves; returns their number.

    Several processes may call it at once. The rows say which are due, so none is forgotten when a process dies.
    """
    count = 0
    for pk in list(_unfollowed().values_list("pk", flat=True)):
        with survived(f"what follows run {pk}", run=pk):
            count += _follow(pk)
    return count


def follow(run_id: int) -> None:
    """Starts the run that copies the master to the slaves, if this run has ended as a promotion that wrote it."""
    if _unfollowed().filter(pk=run_id).exists():
        _follow(run_id)


def _unfollowed() -> QuerySet[SyncRun]:
    """Returns promotions that wrote the master and have no audit entry about it yet."""
    followed = AuditEntry.objects.filter(action=AuditAction.PROMOTED, run__isnull=False).values("run")
    wrote = Q(account_runs__created__gt=0) | Q(account_runs__updated__gt=0)
    wrote |= Q(account_runs__adopted__gt=0)  # made by an attempt that died before it could say so
    promotions = SyncRun.objects.filter(wrote, purpose=RunPurpose.PROMOTION, mode=RunMode.APPLY)
    return promotions.exclude(state__in=RUN_OPEN).exclude(pk__in=followed).order_by("pk")


def _follow(run_id: int) -> bool:
    """Starts the run that follows a promotion, and audits it; False if another process was faster."""
    run = SyncRun.objects.select_related("group", "source", "requested_by").get(pk=run_id)
    with locked(run.group) as group:
        if not _unfollowed().filter(pk=run_id).exists():
            return False  # another process was faster
        by, follower, problem = who_asked_for(run), None, ""
        try:
            follower = start_run(group=group, mode=allowed_mode(group), by=by, may_wait=True).run.pk
        except Refusal as error:
            problem = str(error)
        if problem:
            log(run.pk, problem, code="promoted", level=LogEntry.Level.WARNING)
        else:
            sentence = gettext_noop("Run %(run)d copies it to the slaves.")
            log(run.pk, sentence, facts={"run": follower}, code="promoted")
        details = {"picked": run.picked, "followed_by": follower}
        audit.note(AuditAction.PROMOTED, by=by, run=run, account=run.source, details=details)
    return True
