"""The policy of a group and the decisions for an account: what a run covers, keeps and may delete in it."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from accounts.models import SyncGroup
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.rules import WHOLE, WHOLE_ITEM, ExclusionRule, Limits, Rules, Unmatched
from syncing.models import REVIEWED, AcceptedDifference, Exclusion, HealingRule, IdMapping, ItemMode, RunType, SyncRun

Keys = dict[int, set[tuple[Kind, str]]]
Picks = Mapping[Ref, frozenset[str]]  # as in `Rules.only`


def unmatched_of(group: SyncGroup) -> dict[Kind, Unmatched]:
    """Returns what becomes of items that only a slave has, by the group's policy."""
    chosen = {
        Kind.PIPELINE: group.unmatched_pipelines,
        Kind.STAGE: group.unmatched_stages,
        Kind.FIELD_GROUP: group.unmatched_groups,
        Kind.CUSTOM_FIELD: group.unmatched_fields,
        Kind.ENUM: group.unmatched_options,
    }
    return {kind: Unmatched(policy) for kind, policy in chosen.items() if policy != Unmatched.KEEP}


def may_delete(group: SyncGroup) -> bool:
    """Tells whether the policy ever deletes anything."""
    return bool(unmatched_of(group))


def limits_of(run: SyncRun) -> Limits | None:
    """Returns the limits of a run; None: somebody who may override them did."""
    if run.forced:
        return None
    group = run.group
    return Limits(group.max_update_share, group.max_delete_share, group.limit_minimum_items, group.max_deletes)


def rules_for(account_ids: Collection[int], run: SyncRun) -> dict[int, Rules]:
    """Returns the rules by account, in five queries at most.

    Nothing is deleted unless the master's reading is beyond doubt, nor by what nobody attends to, nor by a run that is
    about some items alone.
    """
    unmatched = unmatched_of(run.group) if run.deletes_allowed and not run.picked else {}
    created = _created(account_ids) if unmatched else {}
    exclusions: dict[int, set[ExclusionRule]] = defaultdict(set)
    for row in Exclusion.objects.filter(account__in=account_ids).order_by():
        exclusions[row.account_id].add(ExclusionRule(Kind(row.kind), row.name))
    accepted: dict[int, set[tuple[Ref, str]]] = defaultdict(set)
    for item in AcceptedDifference.objects.filter(account__in=account_ids, withdrawn_at=None).order_by():
        accepted[item.account_id].add((Ref(Kind(item.kind), item.key), item.attribute))
    for account_id, refs in local_items(account_ids, run.group_id).items():
        accepted[account_id] |= {(ref, WHOLE) for ref in refs}
    picked = picks_by_account(run.picked)
    deletes_after_review = run.trigger in REVIEWED and run.writes and not run.forced
    return {
        account_id: Rules(
            unmatched=unmatched,
            created=frozenset(created.get(account_id, ())),
            exclusions=frozenset(exclusions[account_id]),
            accepted=frozenset(accepted[account_id]),
            only=picked.get(account_id, {}) if run.picked else None,
            limits=limits_of(run),
            deletes_after_review=deletes_after_review,
        )
        for account_id in account_ids
    }


def local_items(account_ids: Collection[int], group_id: int) -> dict[int, set[Ref]]:
    """Returns the items that the group leaves to each account, by account: in those that have been given them.

    An account that has not is given the item like every other.
    """
    local = HealingRule.objects.filter(group=group_id, mode=ItemMode.LOCAL).order_by()
    refs = {Ref(Kind(kind), key) for kind, key in local.values_list("kind", "key")}
    by_account: dict[int, set[Ref]] = defaultdict(set)
    if refs:
        rows = IdMapping.objects.filter(account__in=account_ids, master_key__in={ref.key for ref in refs}).order_by()
        for account_id, kind, key in rows.values_list("account", "kind", "master_key"):
            by_account[account_id] |= {Ref(Kind(kind), key)} & refs
    return by_account


def picks_by_account(picked: Collection[Mapping[str, Any]]) -> dict[int, Picks]:
    """Returns what a healing run is about in each account (`SyncRun.picked`)."""
    picks: dict[int, dict[Ref, frozenset[str]]] = defaultdict(dict)
    for item in picked:
        mine, ref = picks[item["account"]], Ref(Kind(item["kind"]), item["key"])
        is_whole = item["attribute"] == WHOLE or mine.get(ref) == WHOLE_ITEM
        mine[ref] = WHOLE_ITEM if is_whole else mine.get(ref, frozenset()) | {item["attribute"]}
    return dict(picks)


def _created(account_ids: Collection[int]) -> Keys:
    """Returns the items that we created in each account, by its own keys."""
    by_account: Keys = defaultdict(set)
    rows = IdMapping.objects.filter(account__in=account_ids, created_by_us=True).order_by()
    for account_id, kind, key in rows.values_list("account_id", "kind", "slave_key"):
        by_account[account_id].add((Kind(kind), key))
    return by_account


def scope_of(run_type: str, group: SyncGroup) -> Scope | None:
    """Returns what a run of this type covers under the group's policy; None: nothing."""
    pipelines = group.sync_pipelines and run_type != RunType.CUSTOM_FIELDS
    fields = group.sync_custom_fields and run_type != RunType.PIPELINES
    if pipelines and fields:
        return Scope.FULL
    if pipelines:
        return Scope.PIPELINES
    return Scope.CUSTOM_FIELDS if fields else None
