"""The bench's master: a fixed, regular configuration of a given size."""

from __future__ import annotations

from itertools import cycle, islice

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES, ENUM_TYPES, LEVELS, PALETTE, SimField, SimGroup

# Ten kinds in turn: of forty fields, every kind of value occurs several times.
TYPES = (
    "text", "select", "numeric", "multiselect", "date", "textarea", "checkbox", "radiobutton", "url", "monetary",
    "birthday", "date_time", "streetaddress", "smart_address", "file",
)  # fmt: skip
# Three groups of five for leads, the others for contacts and companies.
GROUPS = ("leads", "contacts", "leads", "companies", "leads")


def seed_master(
    account: SimAccount,
    *,
    pipelines: int = 5,
    stages: int = 8,
    fields: tuple[int, int, int] = (40, 20, 10),
    groups: int = 5,
    required: int = 10,
    descriptions: int = 0,
) -> SimAccount:
    """Fills an account, always alike: so many ordinary stages per pipeline, fields for leads, contacts, companies.

    The default pipeline gives way. `groups` are spread over the entities, `required` fields of leads have required
    statuses, `descriptions` pipelines have descriptions on every stage. Returns the account.
    """
    account.pipelines.clear()
    for number in range(1, pipelines + 1):
        colors = islice(cycle(PALETTE), number, number + stages)
        specs = [(f"Stage {number}.{at}", color) for at, color in enumerate(colors, 1)]
        unsorted_on = number % 4 != 0
        account.add_pipeline(f"Bench {number}", stages=specs, is_main=number == 1, is_unsorted_on=unsorted_on)
    spread: dict[str, list[SimGroup | None]] = {entity: [None] for entity in ENTITIES}
    for at, entity in enumerate(islice(cycle(GROUPS), groups), 1):
        spread[entity].append(account.add_group(entity, f"Group {at}"))
    for entity, count in zip(ENTITIES, fields, strict=True):
        for at in range(count):
            _add_field(account, entity, at, spread[entity])
    _require_fields(account, required)
    for pipeline in account.ordered_pipelines[:descriptions]:
        for stage in pipeline.ordinary:
            for level in LEVELS:
                account.describe(stage, level, f"{stage.name}, what a {level} should know")
    return account


def _add_field(account: SimAccount, entity: str, at: int, groups: list[SimGroup | None]) -> SimField:
    type_ = TYPES[at % len(TYPES)]
    options = [f"Option {at}.{number}" for number in range(1, 6)] if type_ in ENUM_TYPES else []
    return account.add_field(
        entity,
        f"Field {at + 1} {type_}",
        type_,
        enums=options,
        sort=500 + at,
        group=groups[at % len(groups)],
        code=f"BENCH_{entity.upper()}_{at + 1}" if at % 5 == 0 else None,
        currency="BRL" if type_ == "monetary" else None,
        remind="week" if type_ == "birthday" else None,
    )


def _require_fields(account: SimAccount, number: int) -> None:
    own = [field for field in account.fields["leads"].values() if not field.is_predefined]
    pipelines = account.ordered_pipelines
    for at, field in enumerate(own[:number]):
        pipeline = pipelines[at % len(pipelines)]
        stages = pipeline.ordinary
        field.required_statuses = [(pipeline.id, stages[(at + step) % len(stages)].id) for step in range(2)]
