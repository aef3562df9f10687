"""The defaults of every new account: a pipeline, groups and predefined fields, named in the account's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from accounts.simulator.model import (
    ENTITIES,
    INCOMING_TYPE,
    LOST_ID,
    MAIN_GROUP,
    STATISTIC_GROUP,
    WON_ID,
    SimEnum,
    SimField,
    SimGroup,
    SimStage,
)

if TYPE_CHECKING:
    from accounts.simulator.configuration import Configuration

# docs/kommo.md 4.4: colours that are read in default pipelines and refused in writes.
DEFAULT_COLORS = ("#99ccff", "#ffff99", "#ffcc66", "#ffcccc")
INCOMING_COLOR, WON_COLOR, LOST_COLOR = "#c1c1c1", "#CCFF66", "#D5D8DB"
INCOMING_SORT, WON_SORT, LOST_SORT = 10, 10000, 11000


class Names(NamedTuple):
    """The default names of one language."""

    pipeline: str
    incoming: str
    stages: tuple[str, str, str, str]
    won: str
    lost: str
    main_group: str
    statistic_group: str
    phone: str
    email: str
    position: str
    web: str
    address: str


NAMES = {
    "en": Names(
        "Pipeline", "Incoming leads",
        ("Initial contact", "Discussions", "Decision making", "Contract discussion"),
        "Closed - won", "Closed - lost", "Main", "Statistics",
        "Phone", "Email", "Position", "Web", "Address",
    ),
    "pt": Names(
        "Funil de vendas", "Etapa de leads de entrada",
        ("Contato inicial", "Discussões", "Tomada de decisão", "Discussão de contrato"),
        "Venda ganha", "Venda perdida", "Principal", "Estatísticas",
        "Telefone", "E-mail", "Cargo", "Site", "Endereço",
    ),
    "es": Names(
        "Embudo de ventas", "Leads entrantes",
        ("Contacto inicial", "Negociación", "Toma de decisión", "Discusión de contrato"),
        "Logrado con éxito", "Ventas perdidas", "Principal", "Estadísticas",
        "Teléfono", "Correo", "Cargo", "Web", "Dirección",
    ),
}  # fmt: skip
PHONE_CODES = ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER")
EMAIL_CODES = ("WORK", "PRIV", "OTHER")
TRACKING_CODES = (
    "UTM_CONTENT", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_SOURCE", "UTM_TERM",
    "UTM_REFERRER", "REFERRER", "GCLIENTID", "GCLID", "FBCLID",
)  # fmt: skip


def names_of(language: str) -> Names:
    return NAMES.get(language, NAMES["en"])


def add_defaults(account: Configuration, *, with_default_pipeline: bool) -> None:
    """Fills a new account as Kommo does."""
    names = names_of(account.language)
    for entity in ENTITIES:
        account.groups[entity][MAIN_GROUP] = SimGroup(MAIN_GROUP, names.main_group, 0, is_predefined=True)
    statistic = SimGroup(STATISTIC_GROUP, names.statistic_group, 1, is_predefined=True)
    account.groups["leads"][STATISTIC_GROUP] = statistic
    for code in TRACKING_CODES:
        _predefine(account, "leads", code.lower(), "tracking_data", code, group_id=STATISTIC_GROUP)
    _predefine(account, "contacts", names.position, "text", "POSITION")
    for entity in ("contacts", "companies"):
        _predefine(account, entity, names.phone, "multitext", "PHONE", PHONE_CODES)
        _predefine(account, entity, names.email, "multitext", "EMAIL", EMAIL_CODES)
    _predefine(account, "companies", names.web, "url", "WEB")
    _predefine(account, "companies", names.address, "textarea", "ADDRESS")
    if with_default_pipeline:
        stages = list(zip(names.stages, DEFAULT_COLORS, strict=True))
        account.add_pipeline(names.pipeline, stages=stages, is_main=True)


def system_stages(account: Configuration) -> list[SimStage]:
    """Returns the three stages that the server adds to every pipeline."""
    names = names_of(account.language)
    return [
        SimStage(account.next_id(), names.incoming, INCOMING_SORT, INCOMING_COLOR, INCOMING_TYPE),
        SimStage(WON_ID, names.won, WON_SORT, WON_COLOR),
        SimStage(LOST_ID, names.lost, LOST_SORT, LOST_COLOR),
    ]


def _predefine(
    account: Configuration,
    entity: str,
    name: str,
    type_: str,
    code: str,
    enum_codes: tuple[str, ...] = (),
    group_id: str = MAIN_GROUP,
) -> None:
    number = account.next_id()
    enums = [SimEnum(account.next_id(), item, 2 * at, item) for at, item in enumerate(enum_codes, 1)]
    sort = 2 * (len(account.fields[entity]) + 1)
    account.fields[entity][number] = SimField(
        number, entity, name, type_, code, sort, group_id, enums=enums, is_predefined=True
    )
