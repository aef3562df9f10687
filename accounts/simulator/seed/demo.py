"""The demo's franchise: a master as a head office would set it up, and branches that have each changed since."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.model import PALETTE
from accounts.simulator.seed.copying import copy_configuration
from accounts.simulator.seed.drift import drift
from accounts.simulator.world import World

MASTER = "headquarters"
CITIES = (
    "São Paulo", "Rio de Janeiro", "Belo Horizonte", "Curitiba", "Porto Alegre", "Salvador", "Recife", "Fortaleza",
    "Brasília", "Goiânia", "Manaus", "Belém", "Florianópolis", "Vitória", "Natal", "Maceió", "João Pessoa", "Aracaju",
    "Lisboa", "Porto", "Braga", "Coimbra", "Madrid", "Sevilla", "Valencia", "Bogotá", "Lima", "Quito", "Austin",
    "Miami",
)  # fmt: skip
LANGUAGES = ("pt", "pt", "es", "en")

PIPELINES: dict[str, tuple[tuple[str, str], ...]] = {
    "Vendas": (
        ("Novo contato", "#99ccff"), ("Qualificação", "#d6eaff"), ("Visita agendada 📅", "#fffeb2"),
        ("Proposta enviada", "#ffdc7f"), ("Negociação", "#ffce5a"), ("Contrato em assinatura", "#87f2c0"),
    ),
    "Onboarding": (
        ("Welcome call", "#c1e0ff"), ("Documents", "#fff000"), ("First session booked", "#ebffb1"),
        ("First session done 🎉", "#deff81"),
    ),
    "Pós-venda": (
        ("Acompanhamento 30 dias", "#f9deff"), ("Pesquisa NPS", "#f3beff"), ("Lost contact - retry", "#ffc8c8"),
        ("Indicação", "#ccc8f9"),
    ),
    "Renewals ♻️": (
        ("Expires in 60 days", "#f2f3f4"), ("Offer sent", "#ffeab2"), ("Entrada paga", "#98cbff"),
    ),
}  # fmt: skip
HINTS = {
    "Novo contato": ("Ligue em até 5 minutos.", "Ligue e mande o vídeo 🎬.", "Delegue se a agenda estiver cheia."),
    "Qualificação": ("Use o roteiro de 7 perguntas.", "Confirme orçamento e prazo.", "Revise as respostas da equipe."),
}
SOURCES = ("Instagram", "Google", "Indicação", "WhatsApp", "Feira & eventos", 'Rádio "Cidade"')

Spec = tuple[str, str, str, dict[str, Any]]
"""Group, name, type, further facts of a field."""
LEAD_FIELDS: tuple[Spec, ...] = (
    ("Negócio", "Origem", "select", {"enums": SOURCES, "code": "ORIGEM"}),
    ("Negócio", "Produto de interesse", "multiselect", {"enums": ("Plano mensal", "Plano anual", "Avulso")}),
    ("Negócio", "Orçamento", "monetary", {"currency": "BRL"}),
    ("Negócio", "Forma de pagamento", "radiobutton", {"enums": ("Pix", "Cartão", "Boleto")}),
    ("Negócio", "Data da visita", "date_time", {}),
    ("Negócio", "Observações", "textarea", {}),
    ("Negócio", "Contrato assinado", "checkbox", {}),
    ("Negócio", "Contrato (PDF)", "file", {}),
    ("Franquia", "Unidade", "text", {"code": "UNIDADE"}),
    ("Franquia", "Metragem m²", "numeric", {}),
    ("Franquia", "Endereço da obra", "streetaddress", {}),
    ("Franquia", "Link do orçamento", "url", {}),
    ("Franquia", "Motivo da perda", "select", {"enums": ("Preço", "Prazo", "Concorrente", "Sem resposta")}),
    ("Franquia", "NPS", "numeric", {"is_api_only": True}),
    ("", "Prazo final", "date", {}),
    ("", "Temperatura 🌡️", "select", {"enums": ("Frio 🥶", "Morno", "Quente 🔥")}),
    ("", "Campanha (tracking)", "tracking_data", {"group_id": "statistic"}),
)
CONTACT_FIELDS: tuple[Spec, ...] = (
    ("Pessoal", "Aniversário", "birthday", {"remind": "week"}),
    ("Pessoal", "CPF", "text", {"code": "CPF"}),
    ("Pessoal", "Idioma", "select", {"enums": ("Português", "Español", "English")}),
    ("Pessoal", "Endereço residencial", "smart_address", {}),
    ("", "Aceita WhatsApp", "checkbox", {}),
    ("", "Perfil", "multiselect", {"enums": ("Investidor", "Morador", "Corretor")}),
)
COMPANY_FIELDS: tuple[Spec, ...] = (
    ("", "CNPJ", "text", {"code": "CNPJ"}),
    ("", "Faturamento anual", "monetary", {"currency": "BRL"}),
    ("", "Segmento", "select", {"enums": ("Varejo", "Serviços", "Indústria")}),
    ("", "Dados fiscais", "legal_entity", {}),
)
REQUIRED = (
    ("Orçamento", "Vendas", "Proposta enviada"), ("Origem", "Vendas", "Qualificação"),
    ("Data da visita", "Vendas", "Visita agendada 📅"), ("Motivo da perda", "Vendas", 143),
    ("Contrato assinado", "Onboarding", "Documents"), ("NPS", "Pós-venda", "Pesquisa NPS"),
)  # fmt: skip


Story = Callable[[SimAccount, SimAccount, int], None]
STORIES: list[Story] = []


def seed_demo(world: World, slaves: int = 119) -> SimAccount:
    """Adds a master and so many branches, always alike; each differs from the master and none conflicts with it."""
    master = world.add_account(MASTER, name="Casa Clara Franchising", language="pt")
    _set_up_master(master)
    for number in range(1, slaves + 1):
        city = CITIES[(number - 1) % len(CITIES)]
        extra = (number - 1) // len(CITIES)
        branch = world.add_account(
            f"unit-{number:03d}",
            name=f"Casa Clara {city}" + (f" {extra + 1}" if extra else ""),
            language=LANGUAGES[number % len(LANGUAGES)],
        )
        STORIES[number % len(STORIES)](master, branch, number)
    return master


def _set_up_master(master: SimAccount) -> None:
    master.pipelines.clear()
    for at, (name, stages) in enumerate(PIPELINES.items()):
        master.add_pipeline(name, stages=stages, is_main=at == 0, is_unsorted_on=name != "Onboarding")
    renewals = master.pipeline("Renewals ♻️")
    renewals.stage(142).name, renewals.stage(143).name = "Renovado ✅", "Não renovou"
    for stage_name, texts in HINTS.items():
        stage = master.stage("Vendas", stage_name)
        for level, text in zip(("newbie", "candidate", "master"), texts, strict=True):
            master.describe(stage, level, text)
    for entity, specs in (("leads", LEAD_FIELDS), ("contacts", CONTACT_FIELDS), ("companies", COMPANY_FIELDS)):
        groups = {name: master.add_group(entity, name) for name in dict.fromkeys(spec[0] for spec in specs) if name}
        for at, (group, name, type_, facts) in enumerate(specs):
            master.add_field(entity, name, type_, group=groups.get(group), sort=10 * (at + 1), **facts)
    for field_name, pipeline_name, stage_key in REQUIRED:
        pipeline = master.pipeline(pipeline_name)
        master.field("leads", field_name).required_statuses.append((pipeline.id, pipeline.stage(stage_key).id))


# -- what happened in the branches -------------------------------------------------------------------------------
def story(tell: Story) -> Story:
    """Registers what may have happened to a branch; the branches take turns."""
    STORIES.append(tell)
    return tell


@story
def fresh(master: SimAccount, branch: SimAccount, number: int) -> None:
    """Leaves the branch as it was opened yesterday: as Kommo creates it."""


@story
def half_done(master: SimAccount, branch: SimAccount, number: int) -> None:
    """Copies half, as somebody who began by hand and was called away."""
    copy_configuration(master, branch, share=0.5)
    _add_leads(branch, number, 4)


@story
def own_order(master: SimAccount, branch: SimAccount, number: int) -> None:
    """Copies all, in another order and other colours, beside own stages and fields."""
    copy_configuration(master, branch)
    drift(branch, number, edits=4 + number % 5, destructive=False)
    for at, stage in enumerate(branch.pipeline("Vendas").ordinary):
        stage.color = PALETTE[(number + 3 * at) % len(PALETTE)]
    _add_leads(branch, number, 8)


@story
def renamed(master: SimAccount, branch: SimAccount, number: int) -> None:
    """Copies all, renamed and thinned out over the years."""
    copy_configuration(master, branch)
    rng = Random(f"renamed/{number}")
    pipeline = branch.pipeline("Vendas")
    for stage in rng.sample(pipeline.ordinary, 2):
        stage.name = f"{stage.name} ({branch.name})"
    branch.delete_stage(pipeline, pipeline.ordinary[-1])
    for name in rng.sample(["Metragem m²", "Data da visita", "Prazo final", "Unidade"], 2):
        branch.delete_field(branch.field("leads", name))
    _add_leads(branch, number, 6)


@story
def own_world(master: SimAccount, branch: SimAccount, number: int) -> None:
    """Adds what a CRM of its own had before the branch joined: own pipelines, fields and many leads."""
    branch.add_pipeline("Parcerias locais", stages=["Contato", "Reunião", "Parceria ativa"])
    group = branch.add_group("leads", "Dados da unidade")
    branch.add_field("leads", "Gerente", "text", group=group, sort=10)
    branch.add_field("leads", "Bairro", "select", enums=("Centro", "Zona Sul"), group=group, sort=20)
    _add_leads(branch, number, 12)


@story
def other_options(master: SimAccount, branch: SimAccount, number: int) -> None:
    """Adds own options among the common ones, some of which were removed."""
    copy_configuration(master, branch)
    source = branch.field("leads", "Origem")
    branch.delete_enum(source, source.enum(SOURCES[number % len(SOURCES)]))
    branch.add_enum(source, f"Jornal de {branch.name}", sort=1)
    branch.field("leads", "Orçamento").currency = "EUR" if number % 2 else "USD"
    branch.field("contacts", "Aniversário").remind = "never"
    branch.stage("Vendas", "Novo contato").descriptions.clear()
    _add_leads(branch, number, 10)


def _add_leads(branch: SimAccount, number: int, count: int) -> None:
    """Adds leads all over the pipelines that hold an option wherever there is one."""
    rng = Random(f"leads/{number}")
    selects = [field for field in branch.fields["leads"].values() if field.enums]
    for _ in range(count):
        pipeline = rng.choice(branch.ordered_pipelines)
        values: dict[int, Any] = {}
        for field in selects:
            choice = rng.choice(field.enums).id
            values[field.id] = [choice] if field.type == "multiselect" else choice
        branch.add_lead(pipeline.id, rng.choice(pipeline.listed).id, values)
