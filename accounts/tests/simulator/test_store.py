"""A saved world comes back as it was."""

import json
import stat

import pytest

from accounts.simulator import store
from accounts.simulator.compare import differences
from accounts.simulator.seed import seed_demo
from accounts.simulator.world import World


def test_a_world_survives_being_saved(tmp_path):
    world = World()
    master = seed_demo(world, slaves=6)
    token = master.token
    master.lost_values, world.variants.renumber = 3, False
    path = tmp_path / "deep" / "world.json"
    store.save(world, path)
    again = store.load(path)
    twin = again.accounts["headquarters"]
    assert differences(master, twin) == differences(twin, master) == []
    assert (twin.lost_values, twin.accepts(token), again.variants.renumber) == (3, True, False)
    assert store.dump_account(again.accounts["unit-004"]) == store.dump_account(world.accounts["unit-004"])
    assert twin.next_id() == master.next_id()
    assert twin.variants is again.variants


def test_who_holds_values_and_what_was_lost_is_kept(tmp_path):
    world = World()
    account = world.add_account("north")
    kind = account.add_field("companies", "Kind", "multiselect", enums=["A", "B"])
    gone = account.add_field("contacts", "Gone")
    company = account.add_company({kind.id: [kind.enum("A").id]}, name="Acme")
    contact = account.add_contact({gone.id: "x"}, is_unsorted=True)
    account.delete_field(gone)
    store.save(world, tmp_path / "world.json")
    twin = store.load(tmp_path / "world.json").accounts["north"]
    assert twin.companies == {company.id: company}
    assert twin.contacts == {contact.id: contact}
    assert (twin.losses, twin.lost_values) == (account.losses, 1)
    twin.delete_enum(twin.field("companies", "Kind"), twin.field("companies", "Kind").enum("A"))
    assert (twin.companies[company.id].values, twin.lost_values) == ({}, 2)


def test_a_world_that_was_saved_before_there_were_contacts_still_loads(tmp_path):
    world = World()
    account = world.add_account("north")
    lead = account.add_lead(account.pipeline("Pipeline").id, 142)
    path = tmp_path / "world.json"
    store.save(world, path)
    saved = json.loads(path.read_text())
    for name in ("contacts", "companies", "losses"):
        del saved["accounts"][0][name]
    path.write_text(json.dumps({**saved, "format": 2}))
    twin = store.load(path).accounts["north"]
    assert (twin.leads, twin.contacts, twin.companies, twin.losses) == ({lead.id: lead}, {}, {}, [])


def test_a_saved_world_is_for_its_owner_only_and_leaves_no_draft(tmp_path):
    store.save(World(), tmp_path / "world.json")
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "world.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a saved world"):
        store.load(path)
