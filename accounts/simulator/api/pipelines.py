"""Pipelines (docs/kommo.md 4.1, 4.2, 4.6)."""

from __future__ import annotations

from typing import Any

from accounts.simulator import defaults, problems, render, validation
from accounts.simulator.api import stages
from accounts.simulator.messages import Call, SimAnswer, deleted, nothing, success
from accounts.simulator.model import PALETTE, SimPipeline, SimStage
from accounts.simulator.problems import ItemProblem, Refusal
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
        raise Refusal(404, "Pipeline not found")
    return pipeline


def list_all(call: Call) -> SimAnswer:
    """All pipelines with their stages, in one answer: this list has no pages."""
    items = call.visible(call.account.ordered_pipelines)
    if not items:
        return nothing()
    return success(_list(call, [render.pipeline(call.account, each, call.base) for each in items]))


def show(call: Call, number: str) -> SimAnswer:
    return success(render.pipeline(call.account, find(call, number), call.base))


def create(call: Call) -> SimAnswer:
    items = validation.parse_items(call.body)
    validation.check_all(items, lambda item: _check_new(call, item))
    if len(call.account.pipelines) + len(items) > call.variants.max_pipelines:
        raise Refusal(call.variants.limit_status, f"Limit {call.variants.max_pipelines} pipelines per account")
    for item in items:
        stages.check_room(call, _listed(item))
    made = [_make(call, item) for item in items]
    bodies = call.bodies_of_created([render.pipeline(call.account, each, call.base) for each in made], items)
    return success(_list(call, bodies))


def update(call: Call, number: str) -> SimAnswer:
    pipeline = find(call, number)
    item = validation.parse_object(call.body)
    validation.check_all([item], lambda each: _check_changes(call, pipeline, each))
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
    """Never the last one, nor one with leads, the deleted leads included (docs/kommo.md 4.6)."""
    pipeline = find(call, number)
    status = call.variants.undeletable_status
    if len(call.account.pipelines) == 1:
        raise Refusal(status, "The last pipeline can not be deleted")
    if any(lead.pipeline_id == pipeline.id for lead in call.account.leads.values()):
        raise Refusal(status, "The pipeline has leads")
    if pipeline.is_main and not call.variants.main_pipeline_deletable:
        raise Refusal(status, "The main pipeline can not be deleted")
    call.account.delete_pipeline(pipeline)
    return deleted(call)


def _list(call: Call, bodies: list[Item]) -> Item:
    return {
        "_total_items": len(bodies),
        "_links": render.link(call.url),
        "_embedded": {"pipelines": bodies},
    }


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


def _check_changes(call: Call, pipeline: SimPipeline, item: Item) -> list[ItemProblem]:
    errors = validation.check_keys(item, PATCH_RULES)
    if pipeline.is_main and item.get("is_main") is False and call.variants.unset_main == "400":
        errors.append(problems.bad_choice("is_main"))
    return errors


def _make(call: Call, item: Item) -> SimPipeline:
    account = call.account
    specs: list[Any] = item.get("_embedded", {}).get("statuses", [])
    name = call.stored_name("pipeline", item["name"])
    pipeline = SimPipeline(account.next_id(), name, item["sort"], is_unsorted_on=item["is_unsorted_on"])
    ordinary = [spec for spec in specs if "id" not in spec]
    names = {spec["id"]: spec["name"] for spec in specs if "id" in spec and "name" in spec}
    pipeline.stages = stages.named_system_stages(call, names)
    pipeline.stages += [stages.make(call, spec, at) for at, spec in enumerate(ordinary)]
    if not ordinary and call.variants.default_stages:
        pipeline.stages += _default_stages(call)
    account.pipelines[pipeline.id] = pipeline
    account.renumber_stages(pipeline)
    if item["is_main"] or len(account.pipelines) == 1:
        account.set_main(pipeline)
    account.renumber_main_pipeline()
    return pipeline


def _listed(item: Item) -> int:
    """How many stages the pipeline will list: its ordinary ones, won, lost and perhaps incoming."""
    ordinary = [spec for spec in item.get("_embedded", {}).get("statuses", []) if "id" not in spec]
    return len(ordinary) + 2 + bool(item["is_unsorted_on"])


def _default_stages(call: Call) -> list[SimStage]:
    names = defaults.names_of(call.account.language).stages
    return [SimStage(call.account.next_id(), name, 20 + 10 * at, PALETTE[at]) for at, name in enumerate(names)]
