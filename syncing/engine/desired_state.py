"""Desired state: the master's items as they are to be in one account, where the rules or Kommo leave it something."""

from dataclasses import replace

from syncing.engine.compare import with_account_values
from syncing.engine.coverage import Coverage
from syncing.engine.normalise import NormalisedSnapshot


def without_hidden_statuses(master: NormalisedSnapshot) -> NormalisedSnapshot:
    """Returns the master for an account without the feature: there Kommo does not know the key (docs/kommo.md 5.2)."""
    items = {
        ref: replace(item, attributes={k: v for k, v in item.attributes.items() if k != "hidden_statuses"})
        for ref, item in master.items.items()
    }
    return replace(master, items=items)


def with_values_left_to_account(
    master: NormalisedSnapshot, account: NormalisedSnapshot, coverage: Coverage
) -> NormalisedSnapshot:
    """Returns the master with the account's own values where the rules leave them to it.

    Of a field that is there for some of its options, these are added behind the account's own.
    """
    items = dict(master.items)
    for ref, theirs in account.items.items():
        ours = master.items[ref]
        attributes = coverage.left_to_account(ref, ours)
        if attributes:
            item = items[ref] = with_account_values(ours, theirs, attributes)
            wanted = ours.attributes.get("enums", {})
            added = {option: wanted[option] for option in coverage.picked_options(ref) if option in wanted}
            if added:
                options = {**item.attributes.get("enums", {}), **added}
                items[ref] = replace(item, attributes={**item.attributes, "enums": options})
    return replace(master, items=items)


def with_labels_of_master(account: NormalisedSnapshot, master: NormalisedSnapshot) -> NormalisedSnapshot:
    """Returns the account with the master's labels on what Kommo names in each account's language.

    So plans that do the same read alike.
    """
    system = {ref: master.labels[ref] for ref, item in account.items.items() if item.system}
    return replace(account, labels={**account.labels, **system})
