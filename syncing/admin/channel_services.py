"""What a person chooses when a channel is added: a service in plain words, and the few values that make its address."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from syncing import conf
from syncing.models import EMAIL
from syncing.notifications.addresses import kind_of

Values = Mapping[str, str]


@dataclass(frozen=True)
class ChannelService:
    """A service as people know it. `schemes`: the kinds of its addresses; `fields`: what makes one, by name."""

    key: str
    label: str | Promise
    help: str | Promise
    help_url: str
    schemes: Sequence[str]
    fields: Mapping[str, Callable[[], forms.Field]]
    address: Callable[[Values], str]

    @property
    def is_allowed(self) -> bool:
        """Tells whether NOTIFY_SCHEMES has one of its kinds, or it needs none of them."""
        return not self.schemes or bool({EMAIL, *conf.notify_schemes()}.intersection(self.schemes))

    def require_its_kind(self, address: str) -> None:
        """Raises ValidationError for an address of another service."""
        if self.schemes and kind_of(address) not in self.schemes:
            raise ValidationError(gettext("This is not an address of %(service)s.") % {"service": self.label})


def _text(label: Any, *, secret: bool = False, pattern: str = "", example: str = "") -> Callable[[], forms.Field]:
    """Returns what makes the input of a value; a secret is never shown again."""

    def make() -> forms.Field:
        attrs = {"class": "vTextField", "placeholder": example}
        widget = forms.PasswordInput({**attrs, "autocomplete": "new-password"}) if secret else forms.TextInput(attrs)
        known = RegexValidator(
            f"^(?:{pattern})$", _("It does not look like that: compare it with where you copied it.")
        )
        return forms.CharField(label=label, widget=widget, max_length=1000, validators=[known] if pattern else [])

    return make


def _as_pasted(values: Values) -> str:
    return values["url"]


def _part(value: str) -> str:
    return quote(value, safe="@:-_")


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)


def _json_address(values: Values) -> str:
    """Returns the address of a program: json:// or jsons:// for http:// and https://."""
    scheme, _separator, rest = values["url"].partition("://")
    return f"json{'s' if scheme.lower() == 'https' else ''}://{rest}"


def _evolution_address(values: Values) -> str:
    scheme, _separator, host = values["server"].rstrip("/").partition("://")
    parts = (_part(values["instance"]), _digits(values["number"]))
    return f"evolution{'s' if scheme.lower() == 'https' else ''}://{_part(values['key'])}@{host}/{'/'.join(parts)}"


PHONE = r"\+?[\d .()-]{6,25}"
WEBHOOK = _text(_("Address of the webhook"), secret=True, pattern=r"\S+://\S+")
SERVER = r"https?://\S+"
SERVICES: Mapping[str, ChannelService] = {
    each.key: each
    for each in (
        ChannelService(
            EMAIL,
            _("E-mail"),
            _("The mail server of this installation sends it. Separate several addresses with commas."),
            "",
            (EMAIL,),
            {"emails": _text(_("E-mail address"), pattern=r"[^:]+@[^:]+", example="ops@example.com")},
            lambda values: values["emails"],
        ),
        ChannelService(
            "whatsapp",
            _("WhatsApp (Meta's Cloud API)"),
            _("From a WhatsApp app of yours at Meta: its token, the id of its phone number, and whom it writes to."),
            "https://developers.facebook.com/docs/whatsapp/cloud-api/get-started",
            ("whatsapp",),
            {
                "token": _text(_("Access token"), secret=True, pattern=r"[A-Za-z0-9]+"),
                "sender": _text(_("Phone number id"), pattern=r"\d+", example="123456789012345"),
                "number": _text(_("Number that gets the messages"), pattern=PHONE, example="+55 11 99999-9999"),
            },
            lambda values: f"whatsapp://{values['token']}@{values['sender']}/{_digits(values['number'])}",
        ),
        ChannelService(
            "evolution",
            _("WhatsApp (Evolution API)"),
            _("From an Evolution API server of yours. If it is in your own network, NOTIFY_PRIVATE has to be on."),
            "https://doc.evolution-api.com",
            ("evolution", "evolutions"),
            {
                "server": _text(_("Server"), pattern=SERVER, example="https://evolution.example.com"),
                "instance": _text(_("Instance")),
                "key": _text(_("API key"), secret=True),
                "number": _text(_("Number that gets the messages"), pattern=PHONE, example="+55 11 99999-9999"),
            },
            _evolution_address,
        ),
        ChannelService(
            "telegram",
            _("Telegram"),
            _("Ask @BotFather for a bot; it gives you the token. Add the bot to the chat that gets the messages."),
            "https://core.telegram.org/bots/features#botfather",
            ("tgram",),
            {
                "token": _text(_("Token of the bot"), secret=True, pattern=r"\d+:[A-Za-z0-9_-]+"),
                "chat": _text(
                    _("Number of the chat, or @name of the channel"), pattern=r"-?\d+|@\w+", example="-1001234567890"
                ),
            },
            lambda values: f"tgram://{values['token']}/{values['chat']}",
        ),
        ChannelService(
            "slack",
            _("Slack"),
            _("Make an incoming webhook for the Slack channel that gets the messages, and paste its address."),
            "https://api.slack.com/messaging/webhooks",
            ("slack",),
            {"url": WEBHOOK},
            _as_pasted,
        ),
        ChannelService(
            "teams",
            _("Microsoft Teams"),
            _(
                "At the Teams channel choose Workflows, “When a Teams webhook request is received”, and paste the "
                "address that it gives you."
            ),
            "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook",
            ("workflow", "workflows"),
            {"url": WEBHOOK},
            _as_pasted,
        ),
        ChannelService(
            "discord",
            _("Discord"),
            _(
                "In the settings of the Discord channel choose Integrations, Webhooks, and paste the address of a new "
                "one."
            ),
            "https://support.discord.com/hc/articles/228383668",
            ("discord",),
            {"url": WEBHOOK},
            _as_pasted,
        ),
        ChannelService(
            "google",
            _("Google Chat"),
            _("In the space choose Apps and integrations, Webhooks, and paste the address of a new one."),
            "https://developers.google.com/workspace/chat/quickstart/webhooks",
            ("gchat",),
            {"url": WEBHOOK},
            _as_pasted,
        ),
        ChannelService(
            "json",
            _("A program of yours (webhook with JSON)"),
            _("It gets a POST with title, message and type as JSON."),
            "",
            ("json", "jsons"),
            {"url": _text(_("Address of the webhook"), secret=True, pattern=SERVER)},
            _json_address,
        ),
        ChannelService(
            "other",
            _("Another service (Apprise address)"),
            _("More than a hundred services have such an address, as ntfys://topic."),
            "https://appriseit.com/services/",
            (),
            {},
            _as_pasted,
        ),
    )
}


def offered() -> list[ChannelService]:
    """Returns the services that NOTIFY_SCHEMES allows."""
    return [each for each in SERVICES.values() if each.is_allowed]


def form_for(service: ChannelService, base: type[Any], usable: Callable[[str], str]) -> type[Any]:
    """Returns a form that asks for the values of a service instead of an address; `usable` refuses a wrong address."""

    def clean(self: Any) -> Any:
        cleaned = base.clean(self)
        if not self.errors:
            values = {name: str(self.cleaned_data[name]).strip() for name in service.fields}
            self.cleaned_data["new_address"] = address = usable(service.address(values))
            service.require_its_kind(address)
        return cleaned

    fields = {name: make() for name, make in service.fields.items()}
    metaclass: Any = type(base)
    form: type[Any] = metaclass("ServiceChannelForm", (base,), {**fields, "new_address": None, "clean": clean})
    return form
