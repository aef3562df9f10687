"""Migrations of data."""

from importlib import import_module

import pytest

own_names = import_module("syncing.migrations.0003_own_items_by_exact_name")


@pytest.mark.parametrize(("before", "name", "after"), [
    ("=old pipeline", "Old  Pipeline", "=Old  Pipeline"),
    ("7/=new: hot#2", "New: Hot", "7/=New: Hot#2"),
    ("leads/=text:status", "STATUS", "leads/=text:STATUS"),
    ("leads/=text:a:b", "A:B", "leads/=text:A:B"),
    ("leads/12/=a##b#3", "A#B", "leads/12/=A##B#3"),
    ("7/71", "Old", "7/71"),
])  # fmt: skip
def test_accepted_items_of_a_slave_keep_their_exception_under_their_exact_name(
    before: str, name: str, after: str
) -> None:
    assert own_names.exact(before, name) == after
