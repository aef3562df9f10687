"""Coverage: which kinds, items and attributes the plan of one account is about."""

from collections import defaultdict
from collections.abc import Collection

from syncing.engine.normalise import Item
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.rules import Rules


class Coverage:
    """Answers for one plan what it is about, by the scope of the run and by the account's rules."""

    def __init__(self, scope: Scope, rules: Rules) -> None:
        self.scope, self.only = scope, rules.only
        self._accepted: dict[Ref, set[str]] = defaultdict(set)
        for ref, attribute in rules.accepted:
            self._accepted[ref].add(attribute)
        self._options: dict[str, list[Ref]] = defaultdict(list)  # field key -> those of its options that `only` names
        for ref in rules.only or ():
            if ref.kind is Kind.ENUM:
                self._options[ref.key.rpartition("/")[0]].append(ref)

    def covers(self, kind: Kind) -> bool:
        of_pipelines = kind in (Kind.PIPELINE, Kind.STAGE)
        return self.scope.writes_pipelines if of_pipelines else self.scope.writes_fields

    def includes(self, ref: Ref) -> bool:
        """Returns True unless the plan is about other items only; an option stands for its field."""
        return self.only is None or ref in self.only or bool(self.picked_options(ref))

    def picked_options(self, ref: Ref) -> Collection[Ref]:
        return self._options.get(ref.key, ()) if ref.kind is Kind.CUSTOM_FIELD else ()

    def may_move(self, ref: Ref) -> bool:
        only = self.only
        return only is None or (ref in only and (not only[ref] or "position" in only[ref]))

    def left_to_account(self, ref: Ref, item: Item) -> Collection[str]:
        """Returns the attributes of a master's item in which the account's own values stay."""
        accepted = self._accepted.get(ref, set()) & item.attributes.keys()
        if self.only is None or not self.includes(ref):
            return accepted
        if ref not in self.only:  # it is there for its options
            return set(item.attributes)
        picked = self.only[ref]
        return set(item.attributes) - picked | accepted if picked else accepted
