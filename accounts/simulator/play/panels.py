"""The two accounts side by side: their funnels as chips, each with what may be done to it, and the forms below."""

from __future__ import annotations

from functools import partial

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES, ENUM_TYPES, SimField, SimPipeline, SimStage
from accounts.simulator.play import controls
from accounts.simulator.play.actions import SIMPLE_TYPES
from accounts.simulator.play.controls import button, labelled, select, text
from accounts.simulator.play.followers import Follower
from accounts.simulator.play.html import Html, element, join
from accounts.simulator.play.trouble import TROUBLES

SUGGESTIONS = ("Second visit", "Follow-up call", "Manager review", "Contract signed", "Invoice sent")
TYPE_NAMES = {
    "text": "text", "numeric": "number", "checkbox": "checkbox", "date": "date", "date_time": "date and time",
    "textarea": "long text", "url": "link",
}  # fmt: skip


def master(account: SimAccount, slave: str) -> Html:
    """Returns the panel of the master; `slave` is the one shown beside it."""
    panel = Panel(account, slave, None)
    with account.lock:
        address = element("p", account.subdomain, class_="quiet which")
        return panel.section("master", "Master", address, [panel.add_option(), panel.add_field(), panel.funnel_forms()])


def slave(account: SimAccount, master: SimAccount, followers: list[Follower], trouble: str) -> Html:
    """Returns the panel of a slave, with the choice of another."""
    panel = Panel(account, account.subdomain, master)
    with account.lock:
        return panel.section(
            "slave", "Slave", _choice(account, followers), [panel.add_field(), panel.troubles(trouble)]
        )


class Panel:
    """The writer of one account's panel; what the account `beside` it has not is marked."""

    def __init__(self, account: SimAccount, slave: str, beside: SimAccount | None) -> None:
        self.account = account
        self.beside = beside
        self.form = partial(controls.form, account, slave)

    def section(self, id_: str, role: str, which: Html, forms: list[Html]) -> Html:
        """Returns the whole panel; parts that are renewed have an id."""
        account = self.account
        funnels = [self._funnel(each) for each in account.ordered_pipelines]
        return element(
            "section",
            element("h2", element("span", role, class_="role"), " ", account.name),
            which,
            element("div", self.add_stage(), id=f"{id_}-add", data_part="mine"),
            element("div", funnels, id=f"{id_}-funnels", data_part=True),
            element("p", "Press a stage to rename, recolour, move or delete it.", class_="quiet"),
            element("div", self._fields(), id=f"{id_}-fields", data_part=True),
            element("div", forms, id=f"{id_}-forms", data_part="mine", class_="forms"),
            id=id_,
            class_="account",
        )

    # -- what is there -------------------------------------------------------------------------------------------
    def _funnel(self, pipeline: SimPipeline) -> Html:
        names = self._names_beside(pipeline)
        chips = [self._chip(pipeline, stage, stage.name in names) for stage in pipeline.listed]
        main = element("span", "main", class_="tag") if pipeline.is_main else None
        own = None if names else element("span", "only here", class_="tag")
        return element("div", element("h3", pipeline.name, " ", main, own), element("ol", chips, class_="chips"))

    def _names_beside(self, pipeline: SimPipeline) -> set[str]:
        """Returns the names of the stages of the pipeline of this name in the account beside this one."""
        account = self.beside or self.account
        return {stage.name for each in account.ordered_pipelines if each.name == pipeline.name for stage in each.stages}

    def _chip(self, pipeline: SimPipeline, stage: SimStage, is_beside: bool) -> Html:
        """Returns a stage: a chip that opens what may be done to it, as far as Kommo lets anybody."""
        face = join(controls.swatch(stage.color), element("span", stage.name or "(no name)"))
        if stage.is_system:
            return element("li", element("span", face, class_="chip system", title="A stage of Kommo itself"))
        which = [controls.hidden("pipeline", pipeline.id), controls.hidden("stage", stage.id)]
        rename = [text("name", stage.name, label=f"Name of the stage {stage.name}"), button("Rename")]
        others = [
            button("◀ Left", action="move-stage-left"),
            button("Right ▶", action="move-stage-right"),
            button("Delete", action="delete-stage", class_="danger"),
        ]
        card = element(
            "div",
            self.form("rename-stage", which, element("p", rename), element("p", others)),
            self.form("recolor-stage", which, controls.palette(), class_="palette"),
            class_="card",
        )
        chip = element("summary", face, class_="chip" if is_beside else "chip own")
        return element("li", element("details", chip, card, name=f"stage-{self.account.index}"))

    def _fields(self) -> Html:
        """Returns the custom fields, closed until somebody asks."""
        fields = self._own_fields()
        lines = [element("li", each.name, element("span", _describe(each), class_="quiet")) for each in fields]
        summary = element("summary", f"Custom fields ({len(fields)})")
        return element(
            "details", summary, element("ul", lines, class_="fields"), data_keep=f"fields-{self.account.index}"
        )

    def _own_fields(self) -> list[SimField]:
        """Returns the fields that Kommo did not make itself, in the order of the cards."""
        account = self.account
        groups = [(entity, group) for entity in ENTITIES for group in account.groups[entity]]
        members = [field for entity, group in groups for field in account.members(entity, group)]
        return [field for field in members if not field.is_predefined]

    # -- what may be done ----------------------------------------------------------------------------------------
    def add_stage(self) -> Html:
        names = {stage.name for pipeline in self.account.pipelines.values() for stage in pipeline.stages}
        free = next((each for each in SUGGESTIONS if each not in names), "")
        return self.form(
            "add-stage",
            labelled("New stage", text("name", free)),
            labelled("in", self._pipelines()),
            button("Add the stage", class_="primary", id=f"add-stage-{self.account.index}"),
            class_="add",
        )

    def add_option(self) -> Html:
        fields = [each for each in self._own_fields() if each.type in ENUM_TYPES]
        return self.form(
            "add-option",
            labelled("New option", text("value")),
            labelled("of", select("field", [(each.id, each.name) for each in fields])),
            button("Add the option"),
        )

    def add_field(self) -> Html:
        return self.form(
            "add-field",
            labelled("New field", text("name")),
            labelled("for", select("entity", [(each, each) for each in ENTITIES])),
            labelled("of type", select("type", [(each, TYPE_NAMES[each]) for each in SIMPLE_TYPES])),
            button("Add the field"),
        )

    def funnel_forms(self) -> Html:
        return join(
            self.form("add-pipeline", labelled("New funnel", text("name")), button("Add the funnel")),
            self.form(
                "delete-pipeline", labelled("Funnel", self._pipelines()), button("Delete the funnel", class_="danger")
            ),
        )

    def troubles(self, trouble: str) -> Html:
        """Returns the buttons that make the account fail, and the one that repairs it."""
        kinds = [
            element("button", each.button, type="submit", name="kind", value=kind) for kind, each in TROUBLES.items()
        ]
        state = element("span", trouble, class_="tag bad") if trouble else element("span", "answers", class_="tag good")
        return element(
            "div",
            element("p", "Make it fail: this account ", state),
            self.form("cause-trouble", kinds),
            self.form("repair", button("Repair it", class_="primary")) if trouble else None,
            class_="troubles",
        )

    def _pipelines(self) -> Html:
        return select("pipeline", [(each.id, each.name) for each in self.account.ordered_pipelines])


def _choice(account: SimAccount, followers: list[Follower]) -> Html:
    """Returns the choice of the slave that is shown: a form that only reads."""
    names = [(each.account.subdomain, f"{each.account.subdomain}: {each.account.name}") for each in followers]
    return element(
        "form",
        element("label", select("slave", names, account.subdomain), aria_label="Slave"),
        button("Show"),
        method="get",
        action="/play#slave",
        id="choice",
        class_="which",
    )


def _describe(field: SimField) -> str:
    options = ": " + ", ".join(each.value for each in field.ordered_enums) if field.enums else ""
    return f" {field.entity}, {TYPE_NAMES.get(field.type, field.type)}{options}"
