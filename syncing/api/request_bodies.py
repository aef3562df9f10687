"""Reads the JSON objects that requests send: their keys by a model of each, the groups and accounts that they name."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from accounts.kommo.texts import storable
from accounts.models import SECRETS, Account, SyncGroup
from syncing import conf
from syncing.api.http import ApiError, bad_request, listed, too_large
from syncing.models import SyncRun
from syncing.services.audit import LONGEST_NAME, LONGEST_REASON

QUOTED = re.compile(r"'([^']*)'")


class RequestBody(BaseModel):
    """A JSON object that an operation takes: these keys and no others, each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True)


def example(**values: Any) -> ConfigDict:
    """Returns the configuration of a body that says what one looks like; `values` has to be one."""
    return ConfigDict(json_schema_extra={"example": values})


Read = TypeVar("Read", bound=RequestBody)


def _storable(text: str) -> str:
    if storable(text) != text:
        raise ValueError("a text without NUL characters and halves of surrogate pairs is needed")
    return text


def _whole(number: Any) -> Any:
    """Returns 3.0 as 3: in JSON they are the same."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


Text = Annotated[str, AfterValidator(_storable)]
WholeNumber = Annotated[int, BeforeValidator(_whole)]
Reason = Annotated[str, Field(max_length=LONGEST_REASON, description=f"why; up to {LONGEST_REASON} characters")]
RunName = Annotated[str, Field(max_length=LONGEST_NAME, description=f"up to {LONGEST_NAME} characters")]
# What they may be depends on the tables, so they are looked at below, and the error lists them.
GroupName = Annotated[
    Any,
    WithJsonSchema(
        {"type": ["string", "null"], "description": "name of a sync group; may be left out if it is the only"}
    ),
]
Subdomains = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "null"}],
            "description": "subdomains of accounts; left out: all that there are",
        }
    ),
]


class RecurringBody(RequestBody):
    """What schedules and windows have in common: times that come again in a group."""

    group: GroupName = None
    cron: Annotated[Text, Field(min_length=1, max_length=100, description="a cron expression, as 0 3 * * *")]
    time_zone: Text = Field("", description="as America/Sao_Paulo; left out: that of the group")


def body_of(request: HttpRequest) -> bytes:
    """Returns the body, which is read once and no further than the limit; raises ApiError 413."""
    if not hasattr(request, "_api_body"):
        request._api_body = request.read(conf.API_BODY_LIMIT + 1)  # type: ignore[attr-defined]
    body: bytes = request._api_body  # type: ignore[attr-defined]
    if len(body) > conf.API_BODY_LIMIT:
        raise too_large()
    return body


def read_body(request: HttpRequest, model: type[Read]) -> Read:
    """Returns the body as the model has it, an empty one as an empty object; raises ApiError 400 or 413."""
    body = body_of(request)
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", "The body is not JSON.", "Send a JSON object, or nothing.") from error
    if not isinstance(value, dict):
        raise ApiError(400, "bad_json", "The body is not a JSON object.", "Send a JSON object, or nothing.")
    if unknown := [key for key in value if key not in model.model_fields]:
        raise bad_request("unknown_key", f"Unknown: {listed(unknown)}.", model.model_fields)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        field = str(wrong["loc"][0])
        raise wrong_value(field, wrong, model.model_fields[field].description or "") from error


def wrong_value(name: str, wrong: Mapping[str, Any], described: str) -> ApiError:
    """Returns the error of a value that is not as it has to be: `described`, or one of a list."""
    path = ".".join(str(step)[:60] for step in wrong["loc"])
    if wrong["type"] in ("enum", "literal_error"):
        choices = QUOTED.findall(str(wrong.get("ctx", {}).get("expected")))
        return bad_request(f"bad_{name}", f"{path} is not one of the possible values.", choices)
    remedy = f"Allowed: {described}." if described else "See /api/docs."
    return ApiError(400, f"bad_{name}", f"{path}: {wrong['msg']}.", remedy)


def group_named(name: Any) -> SyncGroup:
    """Returns the group of this name, or without a name (None) the only one there is; raises ApiError 400."""
    groups = {group.name: group for group in SyncGroup.objects.all()}
    if name is None and len(groups) == 1:
        return next(iter(groups.values()))
    if name is None:
        raise bad_request("group_missing", "There is not exactly one group: say which one.", groups)
    if not isinstance(name, str) or name not in groups:
        raise bad_request("unknown_group", "There is no group of this name.", groups)
    return groups[name]


def group_if_named(name: str | None) -> SyncGroup | None:
    """Returns the group of this name, None without a name; raises ApiError 400."""
    return None if name is None else group_named(name)


def slaves_named(group: SyncGroup, subdomains: Any) -> list[Account] | None:
    """Returns the slaves of the group that are named; None: none is, so all that there are. Raises ApiError 400."""
    slaves = group.accounts.filter(role=Account.Role.SLAVE).defer(*SECRETS)
    return _accounts_named(subdomains, slaves, f"Not a slave of the group {group.name}", name_unknown=True)


def accounts_of_run(run: SyncRun, subdomains: Any) -> list[Account] | None:
    """Returns the accounts of the run that are named; None: none is, so all that there are. Raises ApiError 400."""
    members = Account.objects.filter(account_runs__run=run).defer(*SECRETS)
    return _accounts_named(subdomains, members, f"Not all of these accounts are in run {run.pk}", name_unknown=False)


def group_or_accounts(group: Any, subdomains: Any) -> list[SyncGroup] | list[Account]:
    """Returns the accounts that are named, of the group if one is named; without accounts the group."""
    if subdomains is None:
        return [group_named(group)]
    accounts = Account.objects.select_related("group").defer(*SECRETS)
    if group is not None:
        accounts = accounts.filter(group=group_named(group))
    return _accounts_named(subdomains, accounts, "Not all of these accounts are there", name_unknown=True) or []


def _accounts_named(
    subdomains: Any, allowed: QuerySet[Account], outside: str, *, name_unknown: bool
) -> list[Account] | None:
    """Returns those of `allowed` that are named; `outside`: the message about others, which may list them."""
    if subdomains is None:
        return None
    known = {account.subdomain: account for account in allowed}
    if not isinstance(subdomains, list) or not subdomains:
        raise bad_request("bad_accounts", "accounts must be a list of subdomains, or left out.", known)
    unknown = [name for name in subdomains if not isinstance(name, str) or name not in known]
    if unknown:
        message = f"{outside}: {listed(unknown)}." if name_unknown else f"{outside}."
        raise bad_request("unknown_account", message, known)
    return [known[name] for name in dict.fromkeys(subdomains)]
