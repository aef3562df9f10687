"""One simulated account: its tokens, its leads, contacts and companies, and what deletions do to them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from accounts.simulator import tokens
from accounts.simulator.configuration import Configuration
from accounts.simulator.model import MAIN_GROUP, SimContact, SimEnum, SimField, SimGroup, SimLead, SimPipeline, SimStage
from accounts.simulator.oauth.grants import Grants
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.records import DataLoss, Records
from accounts.simulator.variants import Variants

if TYPE_CHECKING:
    from accounts.simulator.messages import SimAnswer
    from accounts.simulator.staleness import PastState


class SimAccount(Configuration):
    """One account; `lock` guards everything in it, and every id in it belongs to it alone (except 142 and 143)."""

    def __init__(
        self,
        *,
        index: int,
        subdomain: str,
        account_id: int,
        variants: Variants,
        clock: Callable[[], float],
        **facts: Any,
    ) -> None:
        language = facts.get("language", "en")
        super().__init__(variants=variants, clock=clock, language=language, last_id=100_000_000 + index * 1_000_000)
        self.index = index
        self.subdomain = subdomain
        self.account_id = account_id
        self.user_id = 7_000_001 + index
        self.name: str = facts.get("name") or subdomain
        self.paid: bool = facts.get("paid", True)
        self.admin: bool = facts.get("admin", True)
        self.super_fields: bool = facts.get("super_fields", True)
        self.created_at = int(clock())
        self.lock = threading.RLock()
        self.records = Records(clock)
        self.leads, self.contacts, self.companies = self.records.leads, self.records.contacts, self.records.companies
        self.catalogs: set[int] = set()
        self.tokens: dict[str, tokens.Token] = {}
        self.grants = Grants(self)
        self.cached_reads: dict[tuple[str, str, str, bool, bool], SimAnswer] = {}
        self.past: list[PastState] = []
        self.changes = 0
        self.lost_values = 0
        self.moved_leads = 0
        self.blanked_names = 0

    def __repr__(self) -> str:
        return f"SimAccount({self.subdomain!r})"

    def note_change(self) -> None:
        """Counts an edit, and drops the answers that were stored before it."""
        self.changes += 1
        self.cached_reads.clear()

    @property
    def losses(self) -> list[DataLoss]:
        """Returns what deletions took so far, oldest first; `lost_values` and `moved_leads` count the same."""
        return self.records.losses

    # -- tokens ------------------------------------------------------------------------------------------------
    @property
    def token(self) -> str:
        """Returns the newest long-lived token that is still good, or issues one."""
        for token in reversed(self.tokens.values()):
            if token.kind == tokens.LONG_LIVED and self.accepts(token.value):
                return token.value
        return self.issue_token()

    def issue_token(self, *, expires_in: float = tokens.YEAR, value: str | None = None) -> str:
        """Issues a further long-lived token, valid for so many seconds (negative: expired); `value` fixes its text."""
        value = self._make_jwt(expires_in) if value is None else value
        self.tokens[value] = tokens.Token(value, self.clock() + expires_in)
        return value

    def issue_access_token(self, client_id: str, expires_in: float) -> str:
        """Issues the access token of a pair; `grants` knows which."""
        value = self._make_jwt(expires_in, client_id)
        self.tokens[value] = tokens.Token(value, self.clock() + expires_in, kind=tokens.OAUTH)
        return value

    def _make_jwt(self, expires_in: float, client_id: str | None = None) -> str:
        now = self.clock()
        return tokens.make_jwt(
            account_id=self.account_id,
            user_id=self.user_id,
            issued_at=min(now, now + expires_in - 1),
            expires_at=now + expires_in,
            serial=len(self.tokens),
            client_id=client_id,
            api_domain=self.variants.api_domain,
        )

    def uninstall(self, integration: SimIntegration) -> str:
        """Removes an integration as an administrator does: all it was granted ends; returns the disable hook's query.

        docs/kommo.md 1.8. Nobody is called here: whoever uninstalls plays Kommo's part with the query.
        """
        self.grants.revoke(integration.client_id)
        return integration.hook_query(self.account_id)

    def revoke_token(self, value: str | None = None) -> None:
        """Revokes one long-lived or access token, or all of the account; refresh tokens stay."""
        for token in self.tokens.values():
            if value in (None, token.value):
                token.revoked = True

    def accepts(self, value: str) -> bool:
        token = self.tokens.get(value)
        return token is not None and not token.revoked and token.expires_at > self.clock()

    # -- leads, contacts and companies -----------------------------------------------------------------------------
    def add_lead(self, pipeline_id: int, status_id: int, values: dict[int, Any] | None = None, **facts: Any) -> SimLead:
        """Adds a lead to a stage; values by field id: an enum id, a list of them, or a scalar. Raises KeyError."""
        if not self.has_status((pipeline_id, status_id)):
            raise KeyError((pipeline_id, status_id))
        held = self._checked("leads", values)
        number = self.next_id()
        lead = SimLead(number, facts.pop("name", f"Lead {number}"), pipeline_id, status_id, held, **facts)
        self.leads[number] = lead
        return lead

    def add_unsorted(self, pipeline_id: int, values: dict[int, Any] | None = None, **facts: Any) -> SimLead:
        """Adds a lead that nobody has accepted yet: it stands in the incoming stage of its pipeline."""
        return self.add_lead(pipeline_id, self.pipelines[pipeline_id].incoming.id, values, **facts)

    def add_contact(self, values: dict[int, Any] | None = None, **facts: Any) -> SimContact:
        """Adds a contact that holds values, given as for a lead; raises KeyError."""
        return self._add_contact("contacts", self.contacts, values, facts)

    def add_company(self, values: dict[int, Any] | None = None, **facts: Any) -> SimContact:
        """Adds a company that holds values, given as for a lead; raises KeyError."""
        return self._add_contact("companies", self.companies, values, facts)

    def is_unsorted(self, lead: SimLead) -> bool:
        pipeline = self.pipelines.get(lead.pipeline_id)
        return pipeline is not None and lead.status_id == pipeline.incoming.id

    def _add_contact(
        self, entity: str, contacts: dict[int, SimContact], values: dict[int, Any] | None, facts: dict[str, Any]
    ) -> SimContact:
        held = self._checked(entity, values)
        number = self.next_id()
        contacts[number] = SimContact(number, facts.pop("name", f"{entity} {number}"), held, **facts)
        return contacts[number]

    def _checked(self, entity: str, values: dict[int, Any] | None) -> dict[int, Any]:
        """Returns a copy of the values; raises KeyError for an unknown field."""
        for number in values or {}:
            if number not in self.fields[entity]:
                raise KeyError(number)
        return dict(values or {})

    # -- deletions and what they do to leads, contacts and companies ---------------------------------------------
    def delete_stage(self, pipeline: SimPipeline, stage: SimStage) -> None:
        """Deletes a stage; its leads move to the first stage of the pipeline (docs/kommo.md 4.6)."""
        pipeline.stages.remove(stage)
        self.renumber_stages(pipeline)
        first = (pipeline.ordinary or pipeline.listed)[0]
        self.moved_leads += self.records.move(pipeline, stage, first)
        self.remove_statuses(lambda key: key == (pipeline.id, stage.id))

    def delete_pipeline(self, pipeline: SimPipeline) -> None:
        del self.pipelines[pipeline.id]
        self.remove_statuses(lambda key: key[0] == pipeline.id)
        if pipeline.is_main and self.pipelines:
            self.set_main(self.ordered_pipelines[0])

    def delete_group(self, entity: str, group: SimGroup) -> None:
        """Deletes a group; its fields go to the main group."""
        for field in self.members(entity, group.id):
            field.group_id = MAIN_GROUP
        del self.groups[entity][group.id]

    def delete_field(self, field: SimField) -> None:
        """Deletes a field, with every value that is held in it."""
        del self.fields[field.entity][field.id]
        self.lost_values += self.records.remove_field(field)

    def delete_enum(self, field: SimField, enum: SimEnum) -> None:
        """Deletes an option, with every value that is this option."""
        field.enums.remove(enum)
        self.lost_values += self.records.remove_option(field, enum)
