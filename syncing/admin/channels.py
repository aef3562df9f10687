"""Channels in the admin, with a message to try them."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from accounts.forms import RefusalsAsErrors
from accounts.own_words import translated
from accounts.pages import actor_of, page, refusals_shown
from accounts.refusals import Refusal
from accounts.services.importing.values import IS_SET
from syncing.admin.channel_services import SERVICES, ChannelService, form_for, offered
from syncing.admin.console import InConsole
from syncing.admin.messages import in_one_line
from syncing.models import Channel, Event, Message
from syncing.services import channels
from syncing.services.channels import CHANGE_CHANNEL

if TYPE_CHECKING:  # generic for the type checker only
    ChannelModelForm = forms.ModelForm[Channel]
else:
    ChannelModelForm = forms.ModelForm

WORRYING = [each.value for each in Event if each not in (Event.MASTER_CHANGED, Event.PAUSE_ENDED, Event.WEEKLY_REPORT)]
MOST_TESTS = 5  # at a time: each may take half a minute


def usable(address: str) -> str:
    """Returns an address as it is stored, "" for none; what the service refuses becomes an error of the form."""
    with RefusalsAsErrors():
        return channels.usable_address(address) if address else ""


class ChannelForm(ChannelModelForm):
    """One channel; its address can be written, never read: an empty input keeps the stored one."""

    new_address = forms.CharField(
        label=_("Address"),
        required=False,
        widget=forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "new-password"}),
        help_text=_(
            "An e-mail address (or several, separated by commas), the address of a webhook, or an Apprise URL such as "
            "tgram://… It is stored encrypted and never shown again."
        ),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"), choices=Event.choices, widget=forms.CheckboxSelectMultiple, initial=WORRYING
    )

    class Meta:
        model = Channel
        fields = ["name", "group", "events", "when", "language", "enabled"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("new_address")
        if field is not None and self.instance.pk:
            field.widget.attrs["placeholder"] = IS_SET
            field.help_text = _("Leave it empty to keep the stored one.")
        elif field is not None:
            field.required = True

    def clean_new_address(self) -> str:
        return usable(str(self.cleaned_data["new_address"]))

    def _post_clean(self) -> None:
        """Refuses what the service would, once all values are known to be sound."""
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                channels.require_sound(self.instance, channels.COLUMNS)
            except Refusal as error:
                self.add_error(None, str(error))


def _service(request: HttpRequest) -> ChannelService | None:
    """Returns the service that the address of the page names."""
    return SERVICES.get(request.GET.get("service", ""))


@admin.register(Channel)
class ChannelAdmin(InConsole):
    """Stores through the services, so that every change is audited; the group stays the one it was added with."""

    form = ChannelForm
    change_form_template = "syncing/channel_form.html"
    list_display = ["name", "kind", "groups", "last_sent_at", "trouble", "told", "when", "language", "enabled"]
    list_filter = ["group", "kind", "when", "enabled"]
    search_fields = ["name__finds", "kind__finds", "group__name__finds"]
    list_select_related = ["group"]
    list_per_page = 100
    actions = ["send_tests"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return super().get_queryset(request).defer("address")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or request.user.has_perm(CHANGE_CHANNEL)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and request.user.has_perm(CHANGE_CHANNEL)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and request.user.has_perm(CHANGE_CHANNEL)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Asks for the service first; its form is at the same address with ?service=."""
        service = _service(request)
        if request.method == "GET" and service is None and self.has_add_permission(request):
            context = {"title": gettext("Add a channel"), "services": offered(), "opts": self.opts}
            return page(request, "syncing/channel_services.html", context)
        return super().add_view(request, form_url, {**(extra_context or {}), "service": service})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Suggests the reader's own language."""
        return {"language": get_language(), **super().get_changeform_initial_data(request)}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        service = _service(request)
        if obj is None and service is not None and service.fields:
            kwargs["form"] = form_for(service, ChannelForm, usable)
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        service = None if obj else _service(request)
        address = list(service.fields if service else ()) or ["new_address"]
        names = ["name", *address, "group", "events", "when", "language", "enabled"]
        if not self.has_change_permission(request, obj):
            names.remove("new_address")
        return [*names, *self.get_readonly_fields(request, obj)[1:]] if obj else names

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("group", "kind", "created_at", "last_sent_at", "trouble", "sent_messages") if obj else ()

    @admin.display(description=_("sync group"), ordering="group")
    def groups(self, channel: Channel) -> str:
        return channel.group.name if channel.group else gettext("All groups")

    @admin.display(description=_("events"))
    def told(self, channel: Channel) -> str:
        labels = dict(Event.choices)
        known = [str(labels[event]) for event in channel.events if event in labels]
        return gettext("all") if len(known) == len(labels) else ", ".join(known)

    @admin.display(description=_("failure"), ordering="failed_at")
    def trouble(self, channel: Channel) -> SafeString:
        return in_one_line(translated(channel.failure))

    @admin.display(description=_("messages"))
    def sent_messages(self, channel: Channel) -> SafeString:
        url = reverse("syncing:messages")
        text = gettext("Messages of this channel")
        return format_html('<a href="{}?channel={}">{}</a>', url, channel.pk, text)

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        if form.cleaned_data.get("new_address"):
            obj.address = form.cleaned_data["new_address"]
        if change:
            names = ["address" if name == "new_address" else name for name in form.changed_data]
            channels.change(obj, names, by=actor_of(request))
        else:
            channels.add(obj, by=actor_of(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Lets its messages go along, though nobody may delete those by themselves."""
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, lacking - {Message._meta.verbose_name}, protected

    def delete_model(self, request: HttpRequest, obj: Channel) -> None:
        channels.remove(obj, by=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        for channel in queryset:
            self.delete_model(request, channel)

    # -- tests --

    def response_add(self, request: HttpRequest, obj: Channel, post_url_continue: Any = None) -> HttpResponse:
        if "_test" in request.POST:
            self._test(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Channel) -> HttpResponse:
        if "_test" in request.POST:
            self._test(request, obj)
        return super().response_change(request, obj)

    @admin.action(permissions=["change"], description=_("Send a test"))
    def send_tests(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        for channel in queryset[:MOST_TESTS]:
            self._test(request, channel)
        if queryset.count() > MOST_TESTS:
            messages.warning(request, gettext("Only the first %(n)d were tried.") % {"n": MOST_TESTS})

    def _test(self, request: HttpRequest, channel: Channel) -> None:
        with refusals_shown(request, channel.name):
            channels.test(Channel.objects.select_related("group").get(pk=channel.pk), by=actor_of(request))
            messages.success(request, gettext("%(name)s: the test message was sent.") % {"name": channel.name})
