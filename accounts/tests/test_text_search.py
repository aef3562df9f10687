"""Searching texts: Python, SQLite and PostgreSQL find the same."""

import psycopg
import pytest
from django.contrib.auth.models import User

from accounts.text_search import LONGEST, is_in, pattern_of

CASES = [
    ("sao paulo", "Loja São Paulo", True),
    ("SÃO", "loja sao", True),
    ("São", "SA\u0303O", True),  # the accent is a character of its own
    ("a\u0303o", "são", True),
    ("Nº 5", "no 5", True),
    ("ÑANDÚ", "ñandu", True),
    ("москва", "МОСКВА", True),
    ("ΑΘΉΝΑ", "Αθηνα", True),
    ("100%", "100 %", False),
    ("a_b", "axb", False),
    ("a.b", "axb", False),
    (r"\d", "5", False),
    ("(x", "f(x)", True),
    ("[x]*+?{1}|^$", "[x]*+?{1}|^$", True),
    ("***=x", "***=x", True),
    ("paolo", "São Paulo", False),
    ("", "anything", True),
]


@pytest.mark.parametrize(("text", "place", "found"), CASES)
def test_python_finds_it(text: str, place: str, found: bool) -> None:
    assert is_in(text, "", place) is found


@pytest.mark.django_db
@pytest.mark.parametrize(("text", "place", "found"), CASES)
def test_the_database_finds_it(text: str, place: str, found: bool) -> None:
    User.objects.create(username="somebody", first_name=place)
    assert User.objects.filter(first_name__finds=text).exists() is found


def test_postgresql_finds_the_same(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        for text, place, found in CASES:
            row = connection.execute("SELECT %s::text ~ %s", [place, pattern_of(text)]).fetchone()
            assert row == (found,), (text, place)


def test_a_text_of_any_length_is_looked_for_by_its_beginning(postgres_url: str) -> None:
    """A pattern of 30,000 letters takes PostgreSQL ten seconds, and then it refuses it."""
    name, text = "a" * LONGEST, "A" * 30_000
    assert is_in(text, name)
    assert not is_in(text, name[1:])
    with psycopg.connect(postgres_url) as connection:
        rows = [
            connection.execute("SELECT %s::text ~ %s", [place, pattern_of(text)]).fetchone() for place in (name, "a")
        ]
    assert rows == [(True,), (False,)]
