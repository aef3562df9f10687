"""One check of whose account answers: by its id, and for one that was never met by what our other accounts are."""

import pytest

from accounts.kommo.identity import Identity, WrongAccount, claimed_account
from accounts.tests.kommo.world import jwt


@pytest.mark.parametrize("seen", [set(), {7}])
def test_an_account_with_the_expected_id_passes(seen: set[int]) -> None:
    Identity("north", 7, frozenset({8})).check(seen)


@pytest.mark.parametrize("seen", [{8}, {9}, {7, 9}, {None}])
def test_any_other_id_is_a_wrong_account_whatever_it_is_called(seen: set[object]) -> None:
    with pytest.raises(WrongAccount, match="not 7") as refused:
        Identity("north", 7).check(seen)
    assert (refused.value.code, refused.value.account) == ("wrong_account", "north")
    assert "check its connection" in refused.value.remedy


def test_an_account_that_was_never_met_may_have_one_id_that_no_other_has() -> None:
    identity = Identity("north", None, frozenset({8}))
    identity.check({7})
    with pytest.raises(WrongAccount, match="8 is already here"):
        identity.check({8})
    with pytest.raises(WrongAccount, match="one is expected"):
        identity.check({7, 9})


def test_the_account_that_a_token_names_is_a_number_or_nothing() -> None:
    assert claimed_account(jwt(account_id=7)) == 7
    assert claimed_account(jwt(account_id="7")) is None
    assert claimed_account(jwt(account_id=True)) is None
    assert claimed_account("no jwt") is None
