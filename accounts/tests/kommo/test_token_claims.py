"""What tokens say of themselves."""

import pytest

from accounts.kommo.token_claims import jwt_claims, token_expiry
from accounts.kommo.tokens import FixedToken
from accounts.tests.kommo.world import TOKEN, jwt


def test_the_claims_of_a_token_are_read_without_its_signature() -> None:
    token = jwt(account_id=7, exp=1861920000)
    assert jwt_claims(token)["account_id"] == 7
    assert token_expiry(token) == 1861920000.0


@pytest.mark.parametrize("token", [TOKEN, "", "a.b.c", "a.W10.c", "..", jwt(exp="soon"), jwt(exp=True)])
def test_a_token_that_says_nothing_expires_nobody_knows_when(token: str) -> None:
    assert token_expiry(token) is None


def test_a_token_is_never_shown() -> None:
    assert TOKEN not in repr(FixedToken(TOKEN))
    assert FixedToken(f" {TOKEN}\n").current() == TOKEN
