"""What laws of whole runs share: a master and a slave at random, and what a slave has (`accounts.tests.laws`)."""

from random import Random
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES
from accounts.simulator.seed import copy_configuration, drift, seed_random
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from syncing.tests.branches import Branch, Scene

VARIANTS: dict[str, tuple[Any, ...]] = {
    "renumber": (True, False),
    "main_pipeline_first": (True, False),
    "enums_required_on_patch": (True, False),
    "main_group_shown_as": ("null", "default"),
    "batch_patch_enums_as_object": (True, False),
    "palette_case_sensitive": (True, False),
    "system_stage_patch": ("ignore", "400"),
    "fields_created_status": (200, 201),
    "unset_main": ("ignore", "400"),
    "monetary_patch_needs_currency": (True, False),
    "lists_as_objects": (False, False, True),
    "empty_page_behind": ("", "", "204", "list", "endless"),
    "request_ids": (True, True, False),
    "answers_reversed": (False, False, True),
    "complaint_paths": ("dotted", "brackets", "pointer", "indexed", "short"),
    "deleted_twice_status": (404, 404, 400, 422),
}


def scene_of(server: RunningServer, seed: int, *, duplicates: bool = False) -> Scene:
    """A master at random, under a reading of Kommo's rules at random."""
    rng = Random(f"law/{seed}")
    world = World()
    world.limits.key = "none"
    for variant, choices in VARIANTS.items():
        setattr(world.variants, variant, rng.choice(choices))
    server.world = server.app.world = world
    scene = Scene(server)
    seed_random(scene.master, seed, duplicates=duplicates, descriptions=rng.random() < 0.3)
    return scene


def slave_of(scene: Scene, seed: int, name: str = "south") -> Branch:
    """A slave at random: fresh, half copied, copied and drifted, or with a world of its own; with leads in it."""
    rng = Random(f"slave/{seed}")
    branch = scene.branch(name, language=rng.choice(("en", "pt", "es")), super_fields=rng.random() < 0.8)
    story = rng.choice(("fresh", "half", "drifted", "own"))
    if story == "own":
        seed_random(branch.account, seed + 50_000)
    elif story != "fresh":
        copy_configuration(scene.master, branch.account, share=0.5 if story == "half" else 1.0)
        drift(branch.account, seed, edits=6)
    if not branch.account.super_fields:
        for item in branch.account.fields["leads"].values():
            item.hidden_statuses = []
    fill(branch.account, rng)
    return branch


def fill(account: SimAccount, rng: Random) -> None:
    """Leads all over the place, with a value in every select field."""
    selects = [item for item in account.fields["leads"].values() if item.enums and item.type != "multitext"]
    for pipeline in account.ordered_pipelines:
        for stage in pipeline.listed:
            account.add_lead(pipeline.id, stage.id, {item.id: rng.choice(item.enums).id for item in selects})


def leads_of(account: SimAccount) -> dict[int, tuple[int, int, dict[int, Any]]]:
    return {lead.id: (lead.pipeline_id, lead.status_id, dict(lead.values)) for lead in account.leads.values()}


def ids_of(account: SimAccount) -> set[object]:
    """Every id of an account."""
    found: set[object] = set()
    for pipeline in account.pipelines.values():
        found |= {pipeline.id, *(stage.id for stage in pipeline.stages)}
    for entity in ENTITIES:
        found |= set(account.groups[entity])
        for item in account.fields[entity].values():
            found |= {item.id, *(enum.id for enum in item.enums)}
    return found
