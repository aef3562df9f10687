"""Stages (Kommo's "statuses") and their descriptions (docs/kommo.md 4.1 to 4.7)."""

from __future__ import annotations

from typing import Any

from accounts.simulator import defaults, problems, render, validation
from accounts.simulator.messages import Call, SimAnswer, deleted, success
from accounts.simulator.model import LEVELS, LOST_ID, PALETTE, WON_ID, SimPipeline, SimStage
from accounts.simulator.problems import ItemProblem, ProblemAnswer
from accounts.simulator.validation import Item, Rule

# docs/kommo.md 4.5: the range that others clamp to.
MAX_SORT = 10_000
MAX_DESCRIPTION = 1000

POST_RULES = {
    "name": Rule("string", required=True),
    "sort": Rule("integer", required=True, low=1, high=MAX_SORT),
    "color": Rule("string"),
    "descriptions": Rule("array"),
    "request_id": Rule("string"),
}
PATCH_RULES = {**POST_RULES, "name": Rule("string"), "sort": Rule("integer", low=1, high=MAX_SORT)}
SYSTEM_RULES = {"id": Rule("integer", required=True), "name": Rule("string")}
DESCRIPTION_RULES = {
    "id": Rule("integer"),
    "level": Rule("string", required=True, choices=frozenset(LEVELS)),
    "description": Rule("string", max_length=MAX_DESCRIPTION),
}


def find(pipeline: SimPipeline, number: str) -> SimStage:
    for stage in pipeline.listed:
        if stage.id == int(number):
            return stage
    raise ProblemAnswer(404, "Status not found")


def list_all(call: Call, pipeline: SimPipeline) -> SimAnswer:
    return success(call.collection("statuses", [_body(call, pipeline, each) for each in call.visible(pipeline.listed)]))


def show(call: Call, pipeline: SimPipeline, number: str) -> SimAnswer:
    return success(_body(call, pipeline, find(pipeline, number)))


def create(call: Call, pipeline: SimPipeline) -> SimAnswer:
    items = validation.parse_items(call.body)
    validation.check_all(items, lambda item: _check(call, item, POST_RULES, None))
    check_room(call, len(pipeline.listed) + len(items))
    created = [create_one(call, item, len(pipeline.ordinary) + at) for at, item in enumerate(items)]
    pipeline.stages += created
    call.account.renumber_stages(pipeline)
    bodies = call.bodies_of_created([_body(call, pipeline, stage) for stage in created], items)
    return success(call.collection("statuses", bodies))


def update(call: Call, pipeline: SimPipeline, number: str) -> SimAnswer:
    stage = find(pipeline, number)
    item = validation.parse_object(call.body)
    validation.check_all([item], lambda each: _check(call, each, PATCH_RULES, stage))
    if not stage.is_system:
        if "name" in item:
            stage.name = call.stored_name("stage", item["name"])
        elif call.variants.stage_patch_blanks_name:
            # docs/kommo.md 4.1: seen on live accounts.
            stage.name = ""
            call.account.blanked_names += 1
        stage.sort = item.get("sort", stage.sort)
        stage.color = item.get("color", stage.color)
        if call.variants.palette and "color" in item:
            stage.color = stage.color.lower()
        _describe(call, stage, item.get("descriptions", []))
        call.account.renumber_stages(pipeline)
    elif call.variants.system_stage_patch == "400":
        raise problems.invalid([(validation.request_id(0, item), [problems.bad_choice("name")])])
    # docs/kommo.md 4.3: else the write to a system stage is answered with 200 and ignored.
    return success({**_body(call, pipeline, stage), "request_id": validation.request_id(0, item)})


def delete(call: Call, pipeline: SimPipeline, number: str) -> SimAnswer:
    stage = find(pipeline, number)
    if stage.is_system:
        raise ProblemAnswer(404, "Status not found")
    call.account.delete_stage(pipeline, stage)
    return deleted(call)


def check_room(call: Call, count: int) -> None:
    """Raises ProblemAnswer when a pipeline would list more stages than Kommo allows."""
    if count > call.variants.max_stages:
        raise ProblemAnswer(call.variants.limit_status, f"Limit {call.variants.max_stages} statuses per pipeline")


def check_embedded(call: Call, item: Any, path: str) -> list[ItemProblem]:
    """Returns the problems of a stage inside a pipeline's creation; with an id it only names 142 or 143."""
    if isinstance(item, dict) and "id" in item:
        errors = validation.check_keys(item, SYSTEM_RULES, path)
        if not errors and item["id"] not in (WON_ID, LOST_ID):
            errors.append(problems.bad_choice(path + "id"))
        return errors
    return _check(call, item, POST_RULES, None, path)


def named_system_stages(call: Call, names: dict[int, str]) -> list[SimStage]:
    """Returns the stages that the server adds, 142 and 143 under the names given for them."""
    stages = defaults.system_stages(call.account)
    for stage in stages:
        if stage.id == WON_ID or (stage.id == LOST_ID and call.variants.lost_name_on_create):
            stage.name = call.stored_name("stage", names[stage.id]) if stage.id in names else stage.name
    return stages


def create_one(call: Call, item: Item, position: int) -> SimStage:
    """Returns a new stage of a checked item; without a colour the server picks one."""
    color = item.get("color", PALETTE[position % len(PALETTE)]).lower()
    stage = SimStage(call.account.next_id(), call.stored_name("stage", item["name"]), item["sort"], color)
    _describe(call, stage, item.get("descriptions", []))
    return stage


def _describe(call: Call, stage: SimStage, items: list[Item]) -> None:
    for item in items:
        if "description" in item:
            call.account.describe(stage, item["level"], item["description"])
        else:
            stage.descriptions.pop(item["level"], None)


def _check(call: Call, item: Any, rules: validation.Rules, stage: SimStage | None, path: str = "") -> list[ItemProblem]:
    errors = validation.check_keys(item, rules, path)
    if not isinstance(item, dict):
        return errors
    color = item.get("color")
    if call.variants.palette and isinstance(color, str) and color:
        known = color if call.variants.palette_case_sensitive else color.lower()
        if known not in PALETTE or color.lower() in call.variants.refused_colors.split(","):
            errors.append(problems.bad_choice(path + "color"))
    descriptions = item.get("descriptions")
    if isinstance(descriptions, list):
        errors += _check_descriptions(descriptions, stage, path + "descriptions.")
    return errors


def _check_descriptions(items: list[Any], stage: SimStage | None, path: str) -> list[ItemProblem]:
    errors: list[ItemProblem] = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        here = f"{path}{index}."
        wrong = validation.check_keys(item, DESCRIPTION_RULES, here)
        errors += wrong
        if wrong:
            continue
        old = stage.descriptions.get(item["level"]) if stage else None
        if "id" in item and (old is None or old.id != item["id"]):
            errors.append(problems.bad_choice(here + "id"))
        elif "id" not in item and "description" not in item:
            errors.append(problems.missing(here + "description"))
        if item["level"] in seen:
            errors.append(problems.bad_choice(here + "level"))
        seen.add(item["level"])
    return errors


def _body(call: Call, pipeline: SimPipeline, stage: SimStage) -> Item:
    wanted = call.wants("descriptions")
    return render.stage(call.account, pipeline, stage, call.base, with_descriptions=wanted)
