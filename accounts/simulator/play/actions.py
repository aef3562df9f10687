"""What the buttons do: the writes of a person in Kommo, under the rules of the API, and a sentence on what it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.api_calls import write_by_hand
from accounts.simulator.defaults import INCOMING_SORT
from accounts.simulator.model import ENTITIES, ENUM_TYPES, PALETTE, SimField, SimPipeline, SimStage
from accounts.simulator.play import trouble
from accounts.simulator.world import World

# Kommo spaces the stages 10 apart (docs/kommo.md 4.5): this is between two of them.
HALF_A_STEP = 5
# The types that need nothing but a name.
SIMPLE_TYPES = ("text", "numeric", "checkbox", "date", "date_time", "textarea", "url")


class NotPossible(Exception):
    """The form asks for what is not there; the text is a sentence for its reader."""


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent, for one account."""

    world: World
    account: SimAccount
    values: Mapping[str, str]

    def text(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def number(self, name: str) -> int:
        """Returns the id of this name; 0, which nothing has, for what is no id."""
        given = self.text(name)
        return int(given) if given.isascii() and given.isdecimal() else 0

    @property
    def place(self) -> str:
        """Returns the account as a sentence names it."""
        is_master = self.account is next(iter(self.world.accounts.values()))
        return "the master" if is_master else self.account.name

    @property
    def pipeline(self) -> SimPipeline:
        pipeline = self.account.pipelines.get(self.number("pipeline"))
        if pipeline is None:
            raise NotPossible("This funnel is no longer there.")
        return pipeline

    @property
    def stage(self) -> SimStage:
        """Returns the stage to be changed; raises NotPossible for those of Kommo itself."""
        for stage in self.pipeline.listed:
            if stage.id == self.number("stage"):
                if stage.is_system:  # Kommo would answer 200 and change nothing (docs/kommo.md 4.3)
                    raise NotPossible(f"{quoted(stage.name)} is a stage of Kommo itself, which nobody can change.")
                return stage
        raise NotPossible("This stage is no longer there.")

    @property
    def select_field(self) -> SimField:
        for entity in ENTITIES:
            field = self.account.fields[entity].get(self.number("field"))
            if field is not None and field.type in ENUM_TYPES:
                return field
        raise NotPossible("This field is no longer there.")

    def write(self, method: str, path: str, body: object = None) -> None:
        """Writes as the API does; raises ProblemAnswer where Kommo refuses it."""
        write_by_hand(self.world, self.account, method, path, body)

    def patch_stage(self, stage: SimStage, **changes: Any) -> None:
        """Changes a stage; its name goes with it, as Kommo blanks one that is left out (docs/kommo.md 4.1)."""
        path = f"leads/pipelines/{self.pipeline.id}/statuses/{stage.id}"
        self.write("PATCH", path, {"name": stage.name, **changes})


Action = Callable[[Form], str]
ACTIONS: dict[str, Action] = {}
# These change what the slaves are to have, when they are done in the master.
EDITS: set[str] = set()


def action(perform: Action) -> Action:
    """Registers a function as the action of its name."""
    ACTIONS[perform.__name__.replace("_", "-")] = perform
    return perform


def edit(perform: Action) -> Action:
    """Registers a function as an action that edits the account."""
    EDITS.add(perform.__name__.replace("_", "-"))
    return action(perform)


def quoted(text: str) -> str:
    return f"“{text}”"


@edit
def add_stage(form: Form) -> str:
    pipeline, name = form.pipeline, form.text("name")
    last = max((stage.sort for stage in pipeline.ordinary), default=INCOMING_SORT)
    form.write("POST", f"leads/pipelines/{pipeline.id}/statuses", [{"name": name, "sort": last + 10}])
    return f"Added the stage {quoted(name)} to {quoted(pipeline.name)} in {form.place}."


@edit
def rename_stage(form: Form) -> str:
    stage, name = form.stage, form.text("name")
    before = stage.name
    form.patch_stage(stage, name=name)
    return f"Renamed the stage {quoted(before)} to {quoted(name)} in {form.place}."


@edit
def recolor_stage(form: Form) -> str:
    stage = form.stage
    form.patch_stage(stage, color=form.text("color"))
    return f"Gave the stage {quoted(stage.name)} another colour in {form.place}."


@edit
def move_stage_left(form: Form) -> str:
    return _move(form, -1)


@edit
def move_stage_right(form: Form) -> str:
    return _move(form, 1)


def _move(form: Form, step: int) -> str:
    stage, ordinary = form.stage, form.pipeline.ordinary
    place = ordinary.index(stage) + step
    if not 0 <= place < len(ordinary):
        raise NotPossible(f"{quoted(stage.name)} cannot be moved further.")
    neighbour = ordinary[place]
    form.patch_stage(stage, sort=neighbour.sort + step * HALF_A_STEP)
    side = "behind" if step > 0 else "before"
    return f"Moved the stage {quoted(stage.name)} {side} {quoted(neighbour.name)} in {form.place}."


@edit
def delete_stage(form: Form) -> str:
    stage, moved_before = form.stage, form.account.moved_leads
    form.write("DELETE", f"leads/pipelines/{form.pipeline.id}/statuses/{stage.id}")
    moved = form.account.moved_leads - moved_before
    leads = f" Its leads ({moved}) are in the first stage now." if moved else ""
    return f"Deleted the stage {quoted(stage.name)} in {form.place}.{leads}"


@edit
def add_pipeline(form: Form) -> str:
    name = form.text("name")
    last = max((each.sort for each in form.account.pipelines.values()), default=0)
    first_stage = {"name": "First contact", "sort": 20, "color": PALETTE[0]}
    item = {"name": name, "sort": last + 1, "is_main": False, "is_unsorted_on": True}
    form.write("POST", "leads/pipelines", [{**item, "_embedded": {"statuses": [first_stage]}}])
    return f"Added the funnel {quoted(name)} to {form.place}, with one stage."


@edit
def delete_pipeline(form: Form) -> str:
    pipeline = form.pipeline
    form.write("DELETE", f"leads/pipelines/{pipeline.id}")
    return f"Deleted the funnel {quoted(pipeline.name)} in {form.place}."


@edit
def add_option(form: Form) -> str:
    field, value = form.select_field, form.text("value")
    options = [{"id": each.id, "value": each.value, "sort": each.sort} for each in field.ordered_enums]
    last = max((each.sort for each in field.enums), default=0)
    path = f"{field.entity}/custom_fields/{field.id}"
    form.write("PATCH", path, {"enums": [*options, {"value": value, "sort": last + 1}]})
    return f"Added the option {quoted(value)} to the field {quoted(field.name)} in {form.place}."


@edit
def add_field(form: Form) -> str:
    entity, name, type_ = form.text("entity"), form.text("name"), form.text("type")
    if entity not in ENTITIES:
        raise NotPossible("A field belongs to leads, contacts or companies.")
    if type_ not in SIMPLE_TYPES:
        raise NotPossible("This page makes no fields of this type.")
    form.write("POST", f"{entity}/custom_fields", [{"name": name, "type": type_}])
    return f"Added the field {quoted(name)} to the {entity} of {form.place}."


@action
def cause_trouble(form: Form) -> str:
    kind = form.text("kind")
    if kind not in trouble.TROUBLES:
        raise NotPossible("There is no trouble of this kind.")
    made = trouble.cause(form.world, form.account.subdomain, kind)
    return f"From now on {form.place} {made.sentence}, until you repair it."


@action
def repair(form: Form) -> str:
    form.world.faults.remove_of(form.account.subdomain)
    return f"Repaired {form.place}: it answers as before."


@action
def repair_everything(form: Form) -> str:
    trouble.repair_all(form.world)
    return "Repaired everything: every account answers as before."
