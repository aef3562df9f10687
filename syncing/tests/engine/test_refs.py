"""Refs: parents, also of what only a slave has, whose key ends with a name."""

import pytest

from syncing.engine.refs import Kind, Ref, parent_of


@pytest.mark.parametrize(("ref", "parent"), [
    (Ref(Kind.STAGE, "7/142"), Ref(Kind.PIPELINE, "7")),
    (Ref(Kind.STAGE, "7/=Won / lost"), Ref(Kind.PIPELINE, "7")),
    (Ref(Kind.ENUM, "leads/12/34"), Ref(Kind.CUSTOM_FIELD, "leads/12")),
    (Ref(Kind.ENUM, "leads/12/=a/=b"), Ref(Kind.CUSTOM_FIELD, "leads/12")),
    (Ref(Kind.PIPELINE, "7"), None),
    (Ref(Kind.CUSTOM_FIELD, "leads/12"), None),
    (Ref(Kind.FIELD_GROUP, "leads/default"), None),
])  # fmt: skip
def test_a_name_with_slashes_does_not_change_the_parent(ref: Ref, parent: Ref | None) -> None:
    assert parent_of(ref) == parent
