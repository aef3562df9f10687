"""`/api/sync/channels`: the ways by which people are told, listed, added, removed and tried."""

from typing import Annotated, Any

from ninja import Query, Router
from pydantic import ConfigDict, Field, WithJsonSchema

from accounts.kommo.texts import storable
from syncing.api.http import ApiError, ApiRequest, bad_request
from syncing.api.operations import operation
from syncing.api.paging import Page, page_document
from syncing.api.request_bodies import RequestBody, Text, group_if_named, read_body
from syncing.api.shapes.groups import ChannelShape, ChannelsShape, ChannelTestShape
from syncing.models import Channel, Event, KeyScope, TellWhen
from syncing.selectors.channels import channel_document, channels_of
from syncing.services import channels as services

router = Router(tags=["channels"])
OneGroup = Annotated[
    Any,
    WithJsonSchema({"type": ["string", "null"], "description": "name of a sync group; left out: it is told of all"}),
]
MAY_CHANGE = (KeyScope.TRIGGER, services.CHANGE_CHANNEL)


def _has_address(name: str, other: str) -> dict[str, Any]:
    properties = {name: {"type": "string", "minLength": 1}, other: {"enum": [None, ""]}}
    return {"required": [name], "properties": properties}


class ChannelBody(RequestBody):
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [_has_address("email", "url"), _has_address("url", "email")],
            "example": {"name": "Ops", "email": "ops@example.com", "events": ["run_failed"], "when": "changed"},
        }
    )

    name: Text = Field(min_length=1, max_length=120, description="how it is called")
    group: OneGroup = None
    email: Text | None = Field(None, description="an e-mail address; this, or url")
    url: Text | None = Field(None, description="an address as Apprise has it; this, or email")
    events: list[Annotated[Event, Field(strict=False)]] = Field(
        list(Event), min_length=1, description="what it is told: names of events; left out: all"
    )
    when: Annotated[TellWhen, Field(strict=False, description="how often")] = TellWhen.CHANGED
    language: Text = Field("en", description="the language of its messages: en, pt-br or es")


class ChannelFilters(Page):
    group: str | None = Field(None, description="name of a sync group: channels that are told of it")


@operation(router.get, "/sync/channels", "api_channels", (KeyScope.READ, "syncing.view_channel"), ChannelsShape)
def show(request: ApiRequest, filters: Query[ChannelFilters]) -> dict[str, Any]:
    """Lists the channels in the order in which they were added, without their addresses; all without a limit."""
    wanted = channels_of(group_if_named(filters.group))
    rows = wanted.filter(pk__gt=filters.cursor or 0)
    return page_document(
        request, "channels", rows, filters.limit, lambda page: [channel_document(each) for each in page]
    )


@operation(
    router.post,
    "/sync/channels",
    "api_channels",
    MAY_CHANGE,
    ChannelShape,
    status=201,
    body=ChannelBody,
    errors=(409,),
    sends=True,  # names in an address are looked up
)
def add(request: ApiRequest) -> dict[str, Any]:
    """Adds a channel, by e-mail or another service. Its address is stored encrypted and told to nobody.

    Without a group it is told of all groups.
    """
    body = read_body(request, ChannelBody)
    address = body.email or body.url
    if not address or (body.email and body.url):
        raise bad_request("bad_address", "A channel has one address.", ["either email or url"])
    values = body.model_dump(include={"name", "events", "when", "language"})
    group = group_if_named(body.group)
    return channel_document(services.add(Channel(group=group, address=address, **values), by=request.by))


@operation(router.delete, "/sync/channels/{name}", "api_channel", MAY_CHANGE, ChannelShape, errors=(409,))
def remove(request: ApiRequest, name: str) -> dict[str, Any]:
    """Removes a channel and returns it as it was."""
    channel = _channel_or_404(name)
    document = channel_document(channel)
    services.remove(channel, by=request.by)
    return document


@operation(
    router.post,
    "/sync/channels/{name}/test",
    "api_channel_test",
    MAY_CHANGE,
    ChannelTestShape,
    errors=(409,),
    sends=True,
)
def test(request: ApiRequest, name: str) -> dict[str, Any]:
    """Sends a message to try a channel, and waits until it has arrived there. 409 says why it has not."""
    channel = _channel_or_404(name)
    services.test(channel, by=request.by)
    return {"sent": channel.name}


def _channel_or_404(name: str) -> Channel:
    channels = Channel.objects.select_related("group")
    channel = channels.filter(name=name).first() if storable(name) == name else None
    if channel is None:
        raise ApiError(404, "no_such_channel", "There is no channel of this name.", "See /api/sync/channels.")
    return channel
