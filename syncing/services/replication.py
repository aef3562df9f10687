"""One account's part of a run, from reading to verified: no ORM, so that any number of threads may do it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from accounts.kommo.client import KommoClient
from accounts.kommo.errors import BadAnswer, Halted, IpBlocked, KommoError
from accounts.kommo.pages import Params
from syncing.adapters.api import Json
from syncing.adapters.reader import Reader, with_membership
from syncing.adapters.work import DONE, Work, Written
from syncing.adapters.writer import apply
from syncing.engine.changes import Action, Change
from syncing.engine.match import match
from syncing.engine.plan import Plan, make_plan
from syncing.engine.refs import Kind, Ref, pipeline_key
from syncing.engine.resources.custom_fields import ENTITIES
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.safety import incomplete, limits
from syncing.engine.snapshot import Snapshot
from syncing.services.contract import Checkpoint, Interrupted, Job, Mapped, Outcome, Record, Result
from syncing.services.ledger import Ledger

CANCELLED = "cancelled"
ROUNDS = 4  # apply and re-read at most so often: the order may need more than one, everything else has two


def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint) -> Result:
    """Read the slave, plan, and (if the job writes) apply, re-read and verify.

    Errors of Kommo, and a cancel, end in a Result; `Interrupted` for another reason and errors of our own are raised.
    """
    part = _Replication(job, client, record, checkpoint)
    try:
        return part.run()
    except Halted as halt:
        if halt.reason == CANCELLED:
            return part.stopped(CANCELLED, halt)
        if halt.reason == IpBlocked.code:
            return part.stopped("failed", halt)
        raise Interrupted(halt.reason) from halt
    except Interrupted as stop:
        if stop.code == CANCELLED:
            return part.stopped(CANCELLED, Halted(CANCELLED))
        raise
    except KommoError as error:
        return part.stopped("failed", error)


class _Stepped:
    """The client, with a checkpoint between two requests."""

    def __init__(self, client: KommoClient, checkpoint: Checkpoint) -> None:
        self.client, self.checkpoint, self.account = client, checkpoint, client.account

    def get_all(self, path: str, key: str, params: Params | None = None, page_size: int | None = 250) -> list[Json]:
        self.checkpoint(f"reading {path}")
        return self.client.get_all(path, key, params, page_size)

    def pause(self, seconds: float) -> None:
        self.checkpoint(f"waiting {seconds:.0f} s for a request that was not answered")
        self.client.pause(seconds)

    def post(self, path: str, items: list[Json]) -> Json:
        self.checkpoint(f"creating {len(items)} at {path}")
        return self.client.post(path, items)

    def patch(self, path: str, body: Json | list[Json]) -> Json:
        self.checkpoint(f"updating {path}")
        return self.client.patch(path, body)


class _Replication:
    """The state of one account's part: what is known of it, and what has been done."""

    def __init__(self, job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint) -> None:
        self.job, self.client, self.record = job, client, record
        self.api = _Stepped(client, checkpoint)
        self.reader = Reader(self.api)
        self.ledger = Ledger()
        self.known = dict(job.known)
        self.plan: Plan | None = None  # the first one: what the account is told about
        self.created: set[Ref] = set()
        self.adopted = 0

    def run(self) -> Result:
        existing = self._read()
        self.plan = plan = self._make_plan(existing)
        self.ledger.expect(plan)
        if refusal := limits(plan, existing):
            self.ledger.skip_planned("The account was refused before the first write.")
            return self._result("refused", "limit_reached", _problem("limit_reached", refusal, "See the message."))
        if not self.job.writes:
            self.adopted = len(self._adoptions(plan))
            return self._judged("planned" if plan.changes else "in_sync")
        self._keep_matches(plan)
        self._converge(plan, existing)
        return self._judged("changed" if self.ledger.rows else "in_sync")

    def stopped(self, state: str, error: KommoError) -> Result:
        """The result of a part that an error of the account, or a cancel, has cut short."""
        self.ledger.skip_planned("Not tried: the account's run ended before.")
        problem = None if state == CANCELLED else _problem(error.code, str(error), error.remedy)
        return self._result(state, error.code, problem)

    # -- read --

    def _read(self) -> Snapshot:
        pipelines = self.reader.pipelines()
        self._check_identity()
        existing = Snapshot(self._with_descriptions(pipelines))
        if self.job.scope.writes_fields:
            groups, fields = self.reader.groups_and_fields(ENTITIES)
            existing = replace(existing, groups=groups, fields=fields)
        return self._believed(existing)

    def _believed(self, existing: Snapshot) -> Snapshot:
        if doubt := incomplete(self.job.desired, existing, self.known):
            raise BadAnswer(doubt, account=self.job.subdomain)
        return existing

    def _check_identity(self) -> None:
        """The answers that a run reads anyway tell whose they are (design.md, rules of the door)."""
        expected, seen = self.job.kommo_id, self.client.account_ids
        if expected is not None and seen and seen != {expected}:
            raise KommoError(
                f"the account behind this subdomain is {', '.join(map(str, sorted(seen)))}, not {expected}",
                account=self.job.subdomain,
                code="wrong_account",
                remedy="Check the subdomain and the token of this account; nothing was written.",
            )

    def _with_descriptions(self, pipelines: tuple[Pipeline, ...]) -> tuple[Pipeline, ...]:
        """Read only where the master has descriptions: a request per pipeline."""
        wanted = {
            Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            for pipeline, stage in self.job.desired.stages()
            if stage.descriptions and not stage.is_system
        }
        if not wanted or not self.job.scope.writes_pipelines:
            return pipelines
        keys = match(Snapshot(self.job.desired.pipelines), Snapshot(pipelines), self.known).keys
        described = {int(keys[ref]) for ref in wanted if ref in keys}
        return self.reader.with_descriptions(pipelines, described)

    def _read_again(self, existing: Snapshot, changes: Iterable[Change]) -> Snapshot:
        """Only what was written."""
        touched = _touched(changes)
        if touched & {(Kind.PIPELINE, ""), (Kind.STAGE, "")}:
            existing = replace(existing, pipelines=self._with_descriptions(self.reader.pipelines()))
        for entity in ENTITIES:
            groups, fields = existing.groups or (), existing.fields or ()
            if (Kind.FIELD_GROUP, entity) in touched:
                others = tuple(group for group in groups if group.entity != entity)
                groups = others + self.reader.groups(entity)
            if (Kind.CUSTOM_FIELD, entity) in touched:
                rest = tuple(item for item in fields if item.entity != entity)
                fields = rest + with_membership(self.reader.fields(entity), groups)
            existing = replace(existing, groups=groups, fields=fields) if self.job.scope.writes_fields else existing
        self._check_identity()
        return self._believed(existing)

    def _make_plan(self, existing: Snapshot) -> Plan:
        return make_plan(self.job.desired, existing, self.known, self.job.scope)

    # -- apply and verify --

    def _converge(self, plan: Plan, existing: Snapshot) -> None:
        """Apply, re-read, plan again, until nothing is left that is worth another try; what is left is not done."""
        left = plan
        for turn in range(1, ROUNDS + 1):
            current = self._worth_trying(left, turn)
            if not current.changes:
                break
            self.ledger.expect(current)
            apply(self._work(current, existing, rewrite_order=turn >= ROUNDS - 1))
            existing = self._read_again(existing, current.changes)
            left = self._make_plan(existing)
            self._keep_matches(left)
        news = self.ledger.doubt({change.ref: change for change in left.changes}) + self.ledger.believe()
        if news:
            self.record([row.outcome() for row in news], (), ())

    def _worth_trying(self, plan: Plan, turn: int) -> Plan:
        """A create is never repeated here (the writer looks up lost ones); an update once, a move in every turn."""
        if turn == 1:
            return plan
        changes = tuple(
            change
            for change in plan.changes
            if change.action is Action.UPDATE
            and not self.ledger.settled(change.ref)
            and (turn == 2 or set(change.fields) == {"position"})
        )
        return replace(plan, changes=changes)

    def _work(self, plan: Plan, existing: Snapshot, *, rewrite_order: bool) -> Work:
        ids = dict(plan.match.keys)
        return Work(self.api, self.reader, plan, self.job.desired, existing, ids, self._written, rewrite_order)

    def _written(self, items: Sequence[Written]) -> None:
        """Stored before the next request goes out."""
        news = self.ledger.note(items)
        mapped: list[Mapped] = []
        for item in items:
            if item.state != DONE:
                continue
            if item.change.action is Action.CREATE:
                self.created.add(item.change.ref)
            ours = item.change.action is Action.CREATE
            mapped += [
                self._mapped(ref, key, ours and not _is_system(self.plan, ref)) for ref, key in item.keys.items()
            ]
        self.known.update({entry.ref: entry.slave_key for entry in mapped})
        if news or mapped:
            self.record([row.outcome() for row in news], mapped, ())

    def _keep_matches(self, plan: Plan) -> None:
        """Remember what the matching found; forget mappings that point nowhere, or to what is now another item's."""
        found = {ref: key for ref, key in plan.match.keys.items() if self.known.get(ref) != key}
        taken = {(ref.kind, key) for ref, key in found.items()}
        gone = [
            ref
            for ref, key in self.known.items()
            if ref not in found and ((ref.kind, key) in taken or ref in plan.match.stale)
        ]
        if not found and not gone:
            return
        adopted = self._adoptions(plan)
        self.adopted += len(adopted)
        outcomes = [_adoption(plan, ref) for ref in adopted]
        mapped = [self._mapped(ref, key, self._is_ours(ref)) for ref, key in found.items()]
        for ref in gone:
            del self.known[ref]
        self.known.update(found)
        self.record(outcomes, mapped, gone)

    def _adoptions(self, plan: Plan) -> list[Ref]:
        """The items that were there already and are met for the first time."""
        new = (ref for ref, key in plan.match.keys.items() if self.known.get(ref) != key)
        return [ref for ref in new if not self._is_ours(ref) and self._counts(plan, ref)]

    def _is_ours(self, ref: Ref) -> bool:
        """An option that appeared with a field we have just written was made by us."""
        if ref.kind is Kind.ENUM:
            field = Ref(Kind.CUSTOM_FIELD, ref.key.rpartition("/")[0])
            row = self.ledger.rows.get(field)
            return row is not None and row.attempts > 0
        return ref in self.created

    def _counts(self, plan: Plan, ref: Ref) -> bool:
        return ref.kind is not Kind.ENUM and not _is_system(plan, ref)

    def _mapped(self, ref: Ref, key: str, ours: bool) -> Mapped:
        name, parent = _name_and_parent(self.plan, ref)
        return Mapped(ref, key, name, parent, ours)

    # -- result --

    def _judged(self, good: str) -> Result:
        assert self.plan is not None
        problem = self.ledger.first_problem()
        if problem is not None:
            return self._result("partial", problem.code or "validation", None)
        if self.plan.conflicts:
            return self._result("partial", "conflict", None)
        return self._result(good, None, None)

    def _result(self, state: str, reason: str | None, error: dict[str, str] | None) -> Result:
        seen = self.client.account_ids
        return Result(
            state=state,
            reason=reason,
            error=error,
            document=self._document(),
            digest=self.plan.digest if self.plan else "",
            created=self.ledger.count(Action.CREATE),
            updated=self.ledger.count(Action.UPDATE),
            deleted=self.ledger.count(Action.DELETE),
            adopted=self.adopted,
            requests=self.client.requests,
            kommo_id=next(iter(seen)) if len(seen) == 1 else None,
        )

    def _document(self) -> dict[str, Any]:
        """The part of the run document that names items (design.md section 8)."""
        if self.plan is None:
            return {"changes": [], "extras": [], "conflicts": [], "manual": []}
        return {
            "changes": [row.document() for row in self.ledger.rows.values()],
            "extras": [{"kind": e.kind, "name": e.name, "parent": e.parent} for e in self.plan.extras],
            "conflicts": [
                {"kind": str(c.ref.kind), "name": c.name, "parent": c.parent, "message": c.message}
                for c in self.plan.conflicts
            ],
            "manual": [
                {"kind": m.kind, "name": m.name, "parent": m.parent, "message": m.message} for m in self.plan.manual
            ],
        }


def _problem(code: str, message: str, remedy: str) -> dict[str, str]:
    return {"code": code, "message": message[:500], "remedy": remedy}


def _touched(changes: Iterable[Change]) -> set[tuple[Kind, str]]:
    """What to read again: (kind, entity); a field that changes its group changes the group's list too."""
    touched: set[tuple[Kind, str]] = set()
    for change in changes:
        entity = change.ref.key.partition("/")[0] if change.ref.kind in (Kind.FIELD_GROUP, Kind.CUSTOM_FIELD) else ""
        touched.add((change.ref.kind, entity))
        if change.ref.kind is Kind.CUSTOM_FIELD and change.action is Action.UPDATE and "group" in change.fields:
            touched.add((Kind.FIELD_GROUP, entity))
    return touched


def _is_system(plan: Plan | None, ref: Ref) -> bool:
    item = plan.desired.items.get(ref) if plan else None
    return item is not None and item.system


def _name_and_parent(plan: Plan | None, ref: Ref) -> tuple[str, str]:
    assert plan is not None
    item = plan.desired.items.get(ref)
    if item is not None:
        return item.name, item.parent
    field = plan.desired.items.get(Ref(Kind.CUSTOM_FIELD, ref.key.rpartition("/")[0]))
    return plan.desired.labels.get(ref, ""), field.name if field else ""


def _adoption(plan: Plan, ref: Ref) -> Outcome:
    name, parent = _name_and_parent(plan, ref)
    return Outcome("adopt", str(ref.kind), name, parent, DONE, "It was already there and is now kept in step.")
