"""Random configurations for property tests: every type, awkward names, any size, the same for the same seed."""

from __future__ import annotations

from random import Random
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES, ENUM_TYPES, LEVELS, PALETTE, SimField, StatusKey

NAMES = (
    "Vendas", "Sales", "Pós-venda", "Déjà vu", "🚀 Launch", 'The "best"', "<b>Bold</b>", "O'Brien & Sons",
    "Lost contact - retry", "Entrada paga", "Closed - won", "50% off", "a/b\\c", "Ünïcödé", "日本語", "x" * 255,
    "  spaced  out", "won", "null", "0",
)  # fmt: skip
TYPES = (
    "text", "numeric", "checkbox", "select", "multiselect", "date", "url", "date_time", "textarea", "radiobutton",
    "streetaddress", "file", "monetary", "smart_address", "birthday", "legal_entity",
)  # fmt: skip


def seed_random(
    account: SimAccount,
    seed: int,
    *,
    max_pipelines: int = 4,
    max_stages: int = 6,
    max_fields: int = 8,
    max_groups: int = 3,
    duplicates: bool = False,
    descriptions: bool = False,
) -> SimAccount:
    """Fills an account at random; `duplicates`: things of one kind and parent may share a name. Returns it.

    The default pipeline gives way. Without `duplicates`, names differ also when case and spaces are ignored.
    """
    rng = Random(f"random/{seed}")
    names = _Names(rng, duplicates=duplicates)
    account.pipelines.clear()
    for number in range(rng.randint(1, max_pipelines)):
        stages = [(names.pick(f"stage {number}"), rng.choice(PALETTE)) for _ in range(rng.randint(1, max_stages))]
        name = names.pick("pipeline")
        account.add_pipeline(name, stages=stages, is_unsorted_on=rng.random() < 0.7)
    account.set_main(rng.choice(account.ordered_pipelines))
    if descriptions:
        _describe_stages(account, rng)
    for entity in ENTITIES:
        for _ in range(rng.randint(0, max_groups)):
            account.add_group(entity, names.pick(f"group {entity}"))
        for _ in range(rng.randint(0, max_fields)):
            _add_field(account, entity, rng, names)
    return account


class _Names:
    """Names that repeat, or differ, within one parent."""

    def __init__(self, rng: Random, *, duplicates: bool) -> None:
        self.rng = rng
        self.duplicates = duplicates
        self.taken: dict[str, int] = {}

    def pick(self, parent: str) -> str:
        name = self.rng.choice(NAMES)
        if self.duplicates:
            return name
        self.taken[parent] = self.taken.get(parent, 0) + 1
        return f"{self.taken[parent]} {name}"[:255]


def _describe_stages(account: SimAccount, rng: Random) -> None:
    pipeline = rng.choice(account.ordered_pipelines)
    for stage in pipeline.ordinary:
        for level in rng.sample(LEVELS, rng.randint(0, len(LEVELS))):
            account.describe(stage, level, rng.choice(("Call at once", "Ask for the budget 💰", "x" * 1000)))


def _add_field(account: SimAccount, entity: str, rng: Random, names: _Names) -> SimField:
    type_ = rng.choice((*TYPES, "tracking_data") if entity == "leads" else TYPES)
    parent = f"field {entity}"
    facts: dict[str, Any] = {"sort": rng.randint(1, 900), "is_api_only": rng.random() < 0.2}
    if type_ == "tracking_data":
        facts |= {"group_id": "statistic", "tracking_callback": rng.choice((None, "return 1;"))}
    else:
        facts["group_id"] = rng.choice(list(account.groups[entity]))
    if facts["group_id"] == "statistic" and type_ != "tracking_data":
        facts["group_id"] = "default"
    if type_ == "monetary":
        facts["currency"] = rng.choice(("BRL", "EUR", "USD"))
    if type_ == "birthday":
        facts["remind"] = rng.choice(("never", "day", "week", "month"))
    if rng.random() < 0.2:
        facts["code"] = f"CODE_{account.next_id() % 1_000_000}"
    field = account.add_field(entity, names.pick(parent), type_, **facts)
    if type_ in ENUM_TYPES:
        for _ in range(rng.randint(1, 5)):
            value = names.pick(f"enum {field.id}")
            number = account.next_id()
            account.add_enum(field, value, sort=rng.randint(1, 9), code=rng.choice((None, None, f"C{number}")))
    field.required_statuses = _statuses(account, rng)
    if entity == "leads" and account.super_fields:
        field.hidden_statuses = _statuses(account, rng)
    return field


def _statuses(account: SimAccount, rng: Random) -> list[StatusKey]:
    if rng.random() < 0.6:
        return []
    known = [
        (pipeline.id, stage.id)
        for pipeline in account.ordered_pipelines
        for stage in pipeline.listed
        if stage.type == 0
    ]
    return rng.sample(known, rng.randint(1, min(3, len(known))))
