"""A world as a JSON file, so that the demo's Kommo survives a restart; log, faults and limits are not stored."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.model import (
    SimContact,
    SimField,
    SimGroup,
    SimLead,
    SimPipeline,
)
from accounts.simulator.oauth.grants import AuthorizationCode, GrantedPair
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.records import DataLoss
from accounts.simulator.tokens import Token
from accounts.simulator.variants import Variants
from accounts.simulator.world import World

FORMAT = 3
# Format 1 knew nothing of OAuth, format 2 nothing of contacts, companies and losses: all that they lack is empty.
READABLE = (1, 2, FORMAT)
FACTS = (
    "index", "subdomain", "account_id", "name", "language", "paid", "admin", "super_fields",
)  # fmt: skip
COUNTERS = ("last_id", "created_at", "lost_values", "moved_leads", "blanked_names")


def save(world: World, path: str | os.PathLike[str]) -> None:
    """Writes the world beside the file and puts it in its place in one step; only its owner may read the tokens."""
    target = Path(path)
    accounts = []
    for account in list(world.accounts.values()):
        with account.lock:
            accounts.append(dump_account(account))
    document = {
        "format": FORMAT,
        "knobs": asdict(world.variants),
        "accounts": accounts,
        "former": sorted(world.former),
        "integrations": [asdict(each) for each in list(world.integrations.values())],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)
    draft.replace(target)


def load(path: str | os.PathLike[str]) -> World:
    """Returns the world of a file; raises OSError, or ValueError for a file that is none of ours."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.get("format") not in READABLE:
        raise ValueError(f"{path}: not a saved world of format {FORMAT}")
    world = World()
    # Every account shares this one object: filled, not replaced.
    for name, value in asdict(Variants(**document["knobs"])).items():
        setattr(world.variants, name, value)
    for saved in document["accounts"]:
        _restore(world.restore_account(**saved["facts"]), saved)
    world.former = set(document.get("former", ()))
    for saved in document.get("integrations", ()):
        world.integrations[saved["client_id"]] = SimIntegration(**saved)
    return world


def dump_account(account: SimAccount) -> dict[str, Any]:
    """Returns all that a file holds of one account."""
    return {
        "facts": {name: getattr(account, name) for name in FACTS},
        "counters": {name: getattr(account, name) for name in COUNTERS},
        "catalogs": sorted(account.catalogs),
        "pipelines": [asdict(each) for each in account.pipelines.values()],
        "groups": {name: [asdict(each) for each in all_.values()] for name, all_ in account.groups.items()},
        "fields": {name: [asdict(each) for each in all_.values()] for name, all_ in account.fields.items()},
        "leads": [asdict(each) for each in account.leads.values()],
        "contacts": [asdict(each) for each in account.contacts.values()],
        "companies": [asdict(each) for each in account.companies.values()],
        "losses": [asdict(each) for each in account.losses],
        "tokens": [asdict(each) for each in account.tokens.values()],
        "codes": [asdict(each) for each in account.grants.codes.values()],
        "pairs": [asdict(each) for each in account.grants.pairs.values()],
    }


def _restore(account: SimAccount, saved: dict[str, Any]) -> None:
    """Fills an empty account with what `dump_account` made of one."""
    for name, value in saved["counters"].items():
        setattr(account, name, value)
    account.catalogs = set(saved["catalogs"])
    account.pipelines = {each["id"]: SimPipeline.from_dict(each) for each in saved["pipelines"]}
    for entity, groups in saved["groups"].items():
        account.groups[entity] = {each["id"]: SimGroup(**each) for each in groups}
    for entity, fields in saved["fields"].items():
        account.fields[entity] = {each["id"]: SimField.from_dict(each) for each in fields}
    account.leads.update({each["id"]: SimLead(**_with_field_ids(each)) for each in saved["leads"]})
    for entity, contacts in (("contacts", account.contacts), ("companies", account.companies)):
        contacts.update({each["id"]: SimContact(**_with_field_ids(each)) for each in saved.get(entity, ())})
    account.losses.extend(DataLoss(**each) for each in saved.get("losses", ()))
    account.tokens = {each["value"]: Token(**each) for each in saved["tokens"]}
    account.grants.codes = {each["value"]: AuthorizationCode(**each) for each in saved.get("codes", ())}
    for each in saved.get("pairs", ()):
        account.grants.add(GrantedPair(**each))


def _with_field_ids(saved: dict[str, Any]) -> dict[str, Any]:
    """Returns a record with its field ids as numbers again: JSON knows no numbers as keys."""
    return {**saved, "values": {int(number): value for number, value in saved["values"].items()}}
