"""Random edits as people make them by hand in a living account; none makes two things of one name."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES, ENUM_TYPES, MAIN_GROUP, PALETTE, SimField, SimPipeline

Edit = Callable[[SimAccount, Random, int], str]
"""Makes one edit, `number` being in its names, and says what it was."""
GENTLE: list[Edit] = []
HARSH: list[Edit] = []


def drift(account: SimAccount, seed: int, *, edits: int = 5, destructive: bool = True) -> list[str]:
    """Makes so many edits and says what they were; not `destructive`: nothing is renamed or deleted."""
    rng = Random(f"drift/{seed}")
    kinds = GENTLE + HARSH if destructive else GENTLE
    with account.lock:
        return [rng.choice(kinds)(account, rng, 1000 * seed + number) for number in range(edits)]


def gentle(edit: Edit) -> Edit:
    """Registers an edit that adds or changes."""
    GENTLE.append(edit)
    return edit


def harsh(edit: Edit) -> Edit:
    """Registers an edit that renames or deletes."""
    HARSH.append(edit)
    return edit


def _pipeline(account: SimAccount, rng: Random) -> SimPipeline:
    return rng.choice(account.ordered_pipelines)


def _own_field(account: SimAccount, rng: Random, *types: str) -> SimField | None:
    fields = [
        field
        for entity in ENTITIES
        for field in account.fields[entity].values()
        if not field.is_predefined and (not types or field.type in types)
    ]
    return rng.choice(fields) if fields else None


@gentle
def shuffle_stages(account: SimAccount, rng: Random, number: int) -> str:
    pipeline = _pipeline(account, rng)
    stages = pipeline.ordinary
    rng.shuffle(stages)
    for at, stage in enumerate(stages):
        stage.sort = 20 + 10 * at
    account.renumber_stages(pipeline)
    return f"stages of {pipeline.name!r} in another order"


@gentle
def recolor(account: SimAccount, rng: Random, number: int) -> str:
    pipeline = _pipeline(account, rng)
    for stage in pipeline.ordinary[:2]:
        stage.color = rng.choice(PALETTE)
    return f"other colours in {pipeline.name!r}"


@gentle
def add_stage(account: SimAccount, rng: Random, number: int) -> str:
    pipeline = _pipeline(account, rng)
    account.add_stage(pipeline, f"Own stage {number}", sort=rng.randint(20, 60))
    return f"own stage in {pipeline.name!r}"


@gentle
def add_field(account: SimAccount, rng: Random, number: int) -> str:
    entity = rng.choice(ENTITIES)
    account.add_field(entity, f"Own field {number}", rng.choice(("text", "numeric", "date")), sort=rng.randint(1, 900))
    return f"own field of {entity}"


@gentle
def add_option(account: SimAccount, rng: Random, number: int) -> str:
    field = _own_field(account, rng, *ENUM_TYPES)
    if field is None:
        return "nothing"
    account.add_enum(field, f"Own option {number}", sort=rng.randint(1, 900))
    return f"own option in {field.name!r}"


@gentle
def shuffle_fields(account: SimAccount, rng: Random, number: int) -> str:
    entity = rng.choice(ENTITIES)
    fields = [field for field in account.fields[entity].values() if not field.is_predefined]
    sorts = [field.sort for field in fields]
    rng.shuffle(sorts)
    for field, sort in zip(fields, sorts, strict=True):
        field.sort = sort
    return f"fields of {entity} in another order"


@gentle
def move_field(account: SimAccount, rng: Random, number: int) -> str:
    field = _own_field(account, rng)
    if field is None or field.type == "tracking_data":
        return "nothing"
    own = [group.id for group in account.groups[field.entity].values() if not group.is_predefined]
    field.group_id = rng.choice([MAIN_GROUP, *own])
    return f"{field.name!r} in another group"


@gentle
def unrequire(account: SimAccount, rng: Random, number: int) -> str:
    field = _own_field(account, rng)
    if field is None:
        return "nothing"
    field.required_statuses = []
    return f"{field.name!r} no longer required"


@gentle
def add_lead(account: SimAccount, rng: Random, number: int) -> str:
    pipeline = _pipeline(account, rng)
    field = _own_field(account, rng, "select", "radiobutton")
    values = {field.id: rng.choice(field.enums).id} if field and field.entity == "leads" and field.enums else {}
    stage = rng.choice(pipeline.listed)
    account.add_lead(pipeline.id, stage.id, values)
    return f"a lead in {stage.name!r}"


@harsh
def rename_stage(account: SimAccount, rng: Random, number: int) -> str:
    pipeline = _pipeline(account, rng)
    if not pipeline.ordinary:
        return "nothing"
    stage = rng.choice(pipeline.ordinary)
    old, stage.name = stage.name, f"Renamed stage {number}"
    return f"stage {old!r} renamed"


@harsh
def rename_field(account: SimAccount, rng: Random, number: int) -> str:
    field = _own_field(account, rng)
    if field is None:
        return "nothing"
    old, field.name = field.name, f"Renamed field {number}"
    return f"field {old!r} renamed"


@harsh
def delete_stage(account: SimAccount, rng: Random, number: int) -> str:
    pipeline = _pipeline(account, rng)
    if len(pipeline.ordinary) < 2:
        return "nothing"
    stage = rng.choice(pipeline.ordinary)
    account.delete_stage(pipeline, stage)
    return f"stage {stage.name!r} deleted"


@harsh
def delete_field(account: SimAccount, rng: Random, number: int) -> str:
    field = _own_field(account, rng)
    if field is None:
        return "nothing"
    account.delete_field(field)
    return f"field {field.name!r} deleted"
