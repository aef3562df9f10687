"""Match: by id mapping, else by natural key, else unknown; never by likeness."""

import pytest

from syncing.engine.candidates import normal_name
from syncing.engine.match import match
from syncing.engine.refs import Kind, Ref
from syncing.engine.resources.custom_fields import Enum
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

P, S, G, F, E = Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM


@pytest.mark.parametrize(("a", "b", "same"), [
    ("Sales", " sales ", True), ("Déjà vu", "De\u0301ja\u0300  VU", True), ("STRASSE", "straße", True),
    ("Sales", "Sale", False), ("Sales", "Sales.", False), ("Venda", "Vendas", False), ("é", "e", False),
    ("", " ", True),
])  # fmt: skip
def test_names_are_the_same_but_for_case_spaces_and_unicode_form(a: str, b: str, same: bool) -> None:
    assert (normal_name(a) == normal_name(b)) is same


def test_the_mapping_comes_before_the_name() -> None:
    found = match(
        snapshot(pipeline(1, "Sales")), snapshot(pipeline(7, "Sales"), pipeline(8, "Deals")), {Ref(P, "1"): "8"}
    )
    assert found.keys[Ref(P, "1")] == "8"
    assert Ref(P, "1") not in found.adopted
    assert (P, "7") not in found.names


def test_a_mapping_that_points_nowhere_is_stale_and_the_name_decides() -> None:
    found = match(snapshot(pipeline(1, "Sales")), snapshot(pipeline(7, "sales")), {Ref(P, "1"): "99"})
    assert found.keys[Ref(P, "1")] == "7"
    assert found.stale == {Ref(P, "1")}
    assert Ref(P, "1") in found.adopted


def test_keys_and_names_are_inverse() -> None:
    ours = snapshot(pipeline(1, "A", stage(5, "x"), stage(6, "x")), field(3, "f", "select", enums=["a", "b"]))
    theirs = snapshot(pipeline(11, "A", stage(15, "x"), stage(16, "x")), field(13, "f", "select", enums=["b", "a"]))
    found = match(ours, theirs, {})
    assert {(ref.kind, key): ref for ref, key in found.keys.items()} == found.names
    assert found.keys[Ref(S, "1/5")] == "11/15"
    assert found.keys[Ref(E, "leads/3/301")] == "leads/13/1302"


def test_system_stages_are_matched_by_nature_and_an_ordinary_one_never_is() -> None:
    ours = snapshot(pipeline(1, "A", stage(5, "Closed - won"), stage(6, "Incoming leads")))
    theirs = snapshot(pipeline(11, "A"))
    found = match(ours, theirs, {})
    assert found.keys[Ref(S, "1/142")] == "11/142"
    assert found.keys[Ref(S, "1/1000")] == "11/11000"
    assert Ref(S, "1/5") not in found.keys
    assert Ref(S, "1/6") not in found.keys


def test_stages_are_matched_within_their_pipeline_only() -> None:
    ours = snapshot(pipeline(1, "A", stage(5, "x")), pipeline(2, "B"))
    theirs = snapshot(pipeline(11, "A"), pipeline(12, "B", stage(15, "x")))
    assert Ref(S, "1/5") not in match(ours, theirs, {}).keys


def test_one_here_and_two_there_is_a_conflict_that_takes_both_out() -> None:
    found = match(snapshot(pipeline(1, "A")), snapshot(pipeline(11, "A"), pipeline(12, "A")), {})
    assert found.blocked == {Ref(P, "1")}
    assert found.contested == {(P, "11"), (P, "12")}
    assert Ref(P, "1") not in found.keys


def test_a_mapped_one_leaves_its_namesake_to_itself() -> None:
    found = match(snapshot(pipeline(1, "A")), snapshot(pipeline(11, "A"), pipeline(12, "A")), {Ref(P, "1"): "12"})
    assert found.conflicts == []
    assert found.keys[Ref(P, "1")] == "12"


def test_two_here_and_one_there_pairs_the_first() -> None:
    found = match(snapshot(pipeline(1, "A"), pipeline(2, "A")), snapshot(pipeline(11, "A")), {})
    assert (found.keys.get(Ref(P, "1")), found.keys.get(Ref(P, "2"))) == ("11", None)


def test_an_archived_pipeline_is_known_by_its_mapping_alone() -> None:
    old = pipeline(11, "A", is_archive=True)
    assert Ref(P, "1") not in match(snapshot(pipeline(1, "A")), snapshot(old), {}).keys
    assert match(snapshot(pipeline(1, "A")), snapshot(old), {Ref(P, "1"): "11"}).keys[Ref(P, "1")] == "11"


def test_a_field_of_another_type_is_a_conflict_with_both_types_in_it() -> None:
    found = match(snapshot(field(1, "Budget", "numeric")), snapshot(field(11, "Budget", "text")), {})
    (conflict,) = found.conflicts
    assert "'numeric'" in conflict.message
    assert "'text'" in conflict.message
    assert found.contested == {(F, "leads/11")}


def test_the_same_name_of_another_type_does_not_disturb_a_pair_of_one_type() -> None:
    found = match(
        snapshot(field(1, "Budget", "numeric")),
        snapshot(field(11, "Budget", "text"), field(12, "Budget", "numeric")),
        {},
    )
    assert found.keys[Ref(F, "leads/1")] == "leads/12"
    assert found.conflicts == []


def test_fields_of_different_entities_have_nothing_to_do_with_each_other() -> None:
    found = match(snapshot(field(1, "A", entity="leads")), snapshot(field(11, "A", entity="contacts")), {})
    assert found.keys == {Ref(G, f"{e}/default"): f"{e}/default" for e in ("leads", "contacts", "companies")}


def test_a_code_beats_a_name_and_two_codes_are_never_one_field() -> None:
    ours = snapshot(field(1, "A", code="X"))
    assert match(ours, snapshot(field(11, "B", code="X"), field(12, "A")), {}).keys[Ref(F, "leads/1")] == "leads/11"
    assert Ref(F, "leads/1") not in match(ours, snapshot(field(11, "A", code="Y")), {}).keys
    assert match(ours, snapshot(field(11, "A")), {}).keys[Ref(F, "leads/1")] == "leads/11"


@pytest.mark.parametrize("main", [None, "default"])
def test_of_namesakes_the_one_in_the_same_group_is_meant_the_main_group_included(main: str | None) -> None:
    """A field of the main group has its id or none (docs/kommo.md 5.2: sources disagree)."""
    ours = snapshot(group("leads_1", "Deal"), field(1, "A", group_id=None))
    theirs = snapshot(group("leads_9", "Deal"), field(11, "A", group_id="leads_9"), field(12, "A", group_id=main))
    found = match(ours, theirs, {})
    assert found.keys[Ref(F, "leads/1")] == "leads/12"
    assert found.conflicts == []


def test_predefined_groups_are_matched_by_id_and_others_by_name() -> None:
    ours = snapshot(group("statistic", "Statistics"), group("leads_1", "Deal"))
    theirs = snapshot(group("statistic", "Estatísticas"), group("leads_9", "deal"))
    keys = match(ours, theirs, {}).keys
    assert keys[Ref(G, "leads/statistic")] == "leads/statistic"
    assert keys[Ref(G, "leads/leads_1")] == "leads/leads_9"


def test_an_ordinary_field_is_never_taken_for_a_predefined_one() -> None:
    ours = snapshot(field(1, "Phone", "text", is_predefined=True, code="PHONE"))
    assert Ref(F, "leads/1") not in match(ours, snapshot(field(11, "Phone", "text")), {}).keys


def test_options_are_matched_by_mapping_then_code_then_value() -> None:
    ours = snapshot(field(1, "A", "select", enums=["red", "green", "blue"]))
    theirs = snapshot(field(11, "A", "select", enums=["BLUE", "Red", "other"]))
    known = {Ref(E, "leads/1/102"): "leads/11/1103"}
    keys = match(ours, theirs, known).keys
    assert keys[Ref(E, "leads/1/101")] == "leads/11/1102"
    assert keys[Ref(E, "leads/1/102")] == "leads/11/1103"
    assert keys[Ref(E, "leads/1/103")] == "leads/11/1101"


# -- exact before folded --

# Each makes items of the given names in one list of an account; the first has the id `start`.
LISTS = {
    P: lambda start, names: snapshot(*(pipeline(start + at, name) for at, name in enumerate(names))),
    S: lambda start, names: snapshot(pipeline(1, "Sales", *(stage(start + at, n) for at, n in enumerate(names)))),
    G: lambda start, names: snapshot(*(group(f"leads_{start + at}", name) for at, name in enumerate(names))),
    F: lambda start, names: snapshot(*(field(start + at, name) for at, name in enumerate(names))),
    E: lambda start, names: snapshot(
        field(1, "Answer", "select", enums=[Enum(start + at, name, at) for at, name in enumerate(names)])
    ),
}


def paired(kind: Kind, ours: list[str], theirs: list[str]) -> tuple[dict[str, str], set[str]]:
    """(name in the master -> name in the slave, names in conflict), of items of one kind."""
    mine, other = LISTS[kind](5, ours), LISTS[kind](15, theirs)
    found = match(mine, other, {})

    def name(key: str, start: int, names: list[str]) -> str:
        return names[int(key.rpartition("/")[2].removeprefix("leads_")) - start]

    pairs = {
        name(ref.key, 5, ours): name(key, 15, theirs)
        for ref, key in found.keys.items()
        if ref.kind is kind and name_is_ours(ref)
    }
    return pairs, {conflict.name for conflict in found.conflicts}


def name_is_ours(ref: Ref) -> bool:
    """Not a system stage, a main group, or what holds the items."""
    last = ref.key.rpartition("/")[2].removeprefix("leads_")
    return last.isdecimal() and 5 <= int(last) < 15


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(("ours", "theirs", "pairs", "conflicts"), [
    (["Status", "STATUS"], ["STATUS"], {"STATUS": "STATUS"}, set()),
    (["new", "New"], ["New"], {"New": "New"}, set()),
    (["yes", "Yes"], ["Yes", "yes"], {"yes": "yes", "Yes": "Yes"}, set()),
    (["Status", "STATUS"], ["STATUS", "status"], {"STATUS": "STATUS", "Status": "status"}, set()),
    (["New "], ["New", "New "], {"New ": "New "}, set()),
    (["New", "New "], [" new"], {}, {"New", "New "}),
    (["New"], ["NEW", "new"], {}, {"New"}),
    (["New"], [" nEw"], {"New": " nEw"}, set()),
    (["caf\u00e9", "cafe\u0301"], ["cafe\u0301"], {"cafe\u0301": "cafe\u0301"}, set()),
])  # fmt: skip
def test_exactly_equal_names_come_before_folded_ones_and_those_pair_one_to_one(
    kind: Kind, ours: list[str], theirs: list[str], pairs: dict[str, str], conflicts: set[str]
) -> None:
    assert paired(kind, ours, theirs) == (pairs, conflicts)


def test_the_exact_name_in_another_group_comes_before_a_folded_one_in_the_same_group() -> None:
    ours = snapshot(group("leads_1", "Deal"), field(1, "Status", group_id="leads_1"))
    theirs = snapshot(
        group("leads_9", "Deal"), field(11, "STATUS", group_id="leads_9"), field(12, "Status", group_id="default")
    )
    assert match(ours, theirs, {}).keys[Ref(F, "leads/1")] == "leads/12"


def test_an_exact_name_of_another_type_is_a_conflict_and_is_not_given_to_a_folded_one() -> None:
    ours = snapshot(field(1, "Status", "text"), field(2, "STATUS", "numeric"))
    found = match(ours, snapshot(field(11, "STATUS", "text")), {})
    assert found.blocked == {Ref(F, "leads/2")}
    assert Ref(F, "leads/1") not in found.keys
    assert found.contested == {(F, "leads/11")}


def test_a_mapping_that_folding_once_made_stays() -> None:
    ours = snapshot(field(1, "Status"), field(2, "STATUS"))
    found = match(ours, snapshot(field(11, "STATUS")), {Ref(F, "leads/1"): "leads/11"})
    assert found.keys[Ref(F, "leads/1")] == "leads/11"
    assert Ref(F, "leads/2") not in found.keys
