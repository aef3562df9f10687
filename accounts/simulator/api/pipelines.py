"""Pipelines (docs/kommo.md 4.1, 4.2, 4.6)."""

from __future__ import annotations

from accounts.simulator import defaults, problems, render, validation
from accounts.simulator.api import stages
from accounts.simulator.messages import Call, SimAnswer, deleted, nothing, success
from accounts.simulator.model import PALETTE, SimPipeline, SimStage
from accounts.simulator.problems import ItemProblem, ProblemAnswer
from accounts.simulator.validation import Item, Rule

PATCH_RULES = {
    "name": Rule("string"),
    "sort": Rule("integer", low=1, high=stages.MAX_SORT),
    "is_main": Rule("boolean"),
    "is_unsorted_on": Rule("boolean"),
    "request_id": Rule("string"),
}
POST_RULES = {
    "name": Rule("string", required=True),
    "sort": Rule("integer", required=True, low=1, high=stages.MAX_SORT),
    "is_main": Rule("boolean", required=True),
    "is_unsorted_on": Rule("boolean", required=True),
    "_embedded": Rule("object"),
    "request_id": Rule("string"),
}


def find(call: Call, number: str) -> SimPipeline:
    pipeline = call.account.pipelines.get(int(number))
    if pipeline is None:
        raise ProblemAnswer(404, "Pipeline not found")
    return pipeline


def list_all(call: Call) -> SimAnswer:
    """Lists all pipelines with their stages, in one answer: this list has no pages."""
    items = call.visible(call.account.ordered_pipelines)
    if not items:
        return nothing()
    return success(call.collection("pipelines", [render.pipeline(call.account, each, call.base) for each in items]))


def show(call: Call, number: str) -> SimAnswer:
    return success(render.pipeline(call.account, find(call, number), call.base))


def create(call: Call) -> SimAnswer:
    items = validation.parse_items(call.body)
    validation.check_all(items, lambda item: _check_new(call, item))
    if len(call.account.pipelines) + len(items) > call.variants.max_pipelines:
        raise ProblemAnswer(call.variants.limit_status, f"Limit {call.variants.max_pipelines} pipelines per account")
    for item in items:
        # The pipeline lists its ordinary stages, won, lost and perhaps incoming.
        stages.check_room(call, len(_ordinary(item)) + 2 + bool(item["is_unsorted_on"]))
    created = [_create_one(call, item) for item in items]
    bodies = call.bodies_of_created([render.pipeline(call.account, each, call.base) for each in created], items)
    return success(call.collection("pipelines", bodies))


def update(call: Call, number: str) -> SimAnswer:
    pipeline = find(call, number)
    item = validation.parse_object(call.body)
    errors = validation.check_keys(item, PATCH_RULES)
    if pipeline.is_main and item.get("is_main") is False and call.variants.unset_main == "400":
        errors.append(problems.bad_choice("is_main"))
    if errors:
        raise problems.invalid([(validation.request_id(0, item), errors)])
    pipeline.name = call.stored_name("pipeline", item["name"]) if "name" in item else pipeline.name
    pipeline.sort = item.get("sort", pipeline.sort)
    pipeline.is_unsorted_on = item.get("is_unsorted_on", pipeline.is_unsorted_on)
    if item.get("is_main"):
        call.account.set_main(pipeline)
    call.account.renumber_main_pipeline()
    call.account.renumber_stages(pipeline)
    body = render.pipeline(call.account, pipeline, call.base)
    return success({**body, "request_id": validation.request_id(0, item)})


def delete(call: Call, number: str) -> SimAnswer:
    """Deletes a pipeline: never the last one, nor one with leads, the deleted leads included (docs/kommo.md 4.6)."""
    pipeline = find(call, number)
    status = call.variants.undeletable_status
    if len(call.account.pipelines) == 1:
        raise ProblemAnswer(status, "The last pipeline can not be deleted")
    if any(lead.pipeline_id == pipeline.id for lead in call.account.leads.values()):
        raise ProblemAnswer(status, "The pipeline has leads")
    if pipeline.is_main and not call.variants.main_pipeline_deletable:
        raise ProblemAnswer(status, "The main pipeline can not be deleted")
    call.account.delete_pipeline(pipeline)
    return deleted(call)


def _check_new(call: Call, item: Item) -> list[ItemProblem]:
    errors = validation.check_keys(item, POST_RULES)
    embedded = item.get("_embedded")
    if not isinstance(embedded, dict):
        return errors
    errors += validation.check_keys(embedded, {"statuses": Rule("array")}, "_embedded.")
    statuses = embedded.get("statuses")
    for index, status in enumerate(statuses if isinstance(statuses, list) else []):
        errors += stages.check_embedded(call, status, f"_embedded.statuses.{index}.")
    return errors


def _ordinary(item: Item) -> list[Item]:
    """Returns the stages given for a new pipeline, without those that only name 142 or 143."""
    return [spec for spec in item.get("_embedded", {}).get("statuses", []) if "id" not in spec]


def _create_one(call: Call, item: Item) -> SimPipeline:
    account = call.account
    name = call.stored_name("pipeline", item["name"])
    pipeline = SimPipeline(account.next_id(), name, item["sort"], is_unsorted_on=item["is_unsorted_on"])
    specs: list[Item] = item.get("_embedded", {}).get("statuses", [])
    names = {spec["id"]: spec["name"] for spec in specs if "id" in spec and "name" in spec}
    pipeline.stages = stages.named_system_stages(call, names)
    pipeline.stages += [stages.create_one(call, spec, at) for at, spec in enumerate(_ordinary(item))]
    if not pipeline.ordinary and call.variants.default_stages:
        for at, default in enumerate(defaults.names_of(account.language).stages):
            pipeline.stages.append(SimStage(account.next_id(), default, 20 + 10 * at, PALETTE[at]))
    account.pipelines[pipeline.id] = pipeline
    account.renumber_stages(pipeline)
    if item["is_main"] or len(account.pipelines) == 1:
        account.set_main(pipeline)
    account.renumber_main_pipeline()
    return pipeline
