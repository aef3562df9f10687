"""The labels of `presentation` as filters and tags of templates."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import template
from django.contrib.auth.models import User
from django.utils import timezone

from accounts import badges as account_badges
from accounts.models import Account
from accounts.own_words import translated
from syncing.engine.refs import local_id
from syncing.presentation import badges, explanations, labels, recurrence, times
from syncing.presentation import navigation as sections
from syncing.presentation.audit_words import told
from syncing.presentation.difference_drawing import DrawnDifference, draw_difference
from syncing.presentation.drawing import DrawnEdit
from syncing.presentation.kommo_pages import page_in_kommo
from syncing.presentation.links import linking_runs
from syncing.presentation.log_lines import log_text
from syncing.presentation.sentences import difference_sentence, settle_all_label, settle_label
from syncing.selectors.drift import ListedDifference
from syncing.selectors.promotion import PromotionCandidate, is_promotable
from syncing.selectors.second_factor import second_factor_of

register = template.Library()

register.filter("tone", badges.tone)
register.simple_tag(badges.badge, name="badge")
for function in (
    labels.counts,
    labels.kind_label,
    labels.attribute_label,
    labels.parent_label,
    labels.action_label,
    labels.account_state_label,
    labels.cause_label,
    labels.role_label,
    labels.trigger_label,
    labels.scope_label,
    labels.standing_label,
    labels.mode_label,
    labels.value_text,
    labels.entity_label,
    labels.field_type_label,
    labels.is_colour,
    times.ago,
    times.clock,
    times.day,
    times.moment,
    labels.duration,
    labels.long_minutes,
    explanations.reason_label,
    explanations.run_reason,
    explanations.reason_sentence,
    explanations.reason_remedy,
    explanations.health_remedy,
    explanations.standing_sentence,
    explanations.state_sentence,
):
    register.filter(function)
register.filter(translated)
register.filter("recurrence", recurrence.sentence_of)
register.filter("place", recurrence.place_of)
register.simple_tag(labels.chip_mark)
for tag in (labels.action_badge, labels.list_badge, labels.outcome_badge, labels.cause_badge, labels.standing_badge):
    register.simple_tag(tag)


register.filter(difference_sentence)
register.filter(told)
register.filter(linking_runs)
register.filter(settle_all_label)
register.filter(log_text)
register.filter(local_id)


@register.simple_tag
def in_kommo(account: Account, kind: str = "", key: str = "") -> str:
    """Returns the address of the page of an item in this Kommo account."""
    return page_in_kommo(account.subdomain, kind, key)


register.simple_tag(account_badges.pause, name="pause_badge")


@register.simple_tag
def token_expiry(account: Account) -> str:
    return account_badges.expires(account, timezone.now())


@register.filter
def decision_of(row: ListedDifference, account: Account) -> dict[str, Any]:
    """Returns the query with which the page of a decision is about this difference in this account."""
    names = ("kind", "key", "attribute", "action")
    return {"group": account.group_id, **{name: getattr(row, name) for name in names}, "account": account.pk}


@register.simple_tag
def querystring_of(values: Mapping[str, Any]) -> str:
    """Returns values as the query of an address."""
    return f"?{urlencode(values)}"


@register.filter
def pick(row: ListedDifference) -> str:
    """Returns a difference as the page of promotions takes it; "" when it cannot be brought to the master."""
    return PromotionCandidate(row).value if is_promotable(row) else ""


@register.filter
def drawn(row: Any) -> DrawnDifference:
    """Returns a difference as a picture; `row`: a `ListedDifference`, or what several accounts have in common."""
    return draw_difference(DrawnEdit.of_difference(row))


@register.filter
def past_sentence(row: Mapping[str, Any]) -> str:
    """Says what a difference of the history was."""
    return difference_sentence(DrawnEdit.of_history(row))


@register.simple_tag(takes_context=True)
def other_page(context: Any, parameter: str, number: int) -> str:
    """Returns the address of another page of the list whose page is in `parameter`; the other parameters stay."""
    query = context["request"].GET.copy()
    query[parameter] = number
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def navigation(context: Any) -> list[sections.SectionLink]:
    """Returns the sections of the console that the person may see."""
    request = context["request"]
    return sections.links(request.path, request.user.has_perm)


@register.filter
def has_second_factor(user: User) -> bool:
    return second_factor_of(user) is not None


@register.simple_tag(takes_context=True)
def trail(context: Any) -> list[sections.TrailLink]:
    """Returns the links above the title of a page about a table; none on pages that are about no table."""
    opts = context.get("opts")
    if opts is None:
        return []
    below = context.get("object")  # on the pages below a form: its history, its deletion
    if opts.label_lower == "accounts.account":
        below = below or context.get("original")  # an account has a page above its form
    is_list = context.get("cl") is not None
    return sections.trail(opts, context["request"].user.has_perm, item=below, is_list=is_list)


register.simple_tag(sections.page_above, name="above")


@register.filter
def settling(row: Any) -> str:
    """Names what makes an account like its master in one difference."""
    return settle_label([row.cause])
