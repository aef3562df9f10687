"""The views over a list: opens, saves, changes and deletes them; works without scripts."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.pages import actor_of, back_to_list, person, refusals_shown
from syncing.selectors.filters import ListFilters
from syncing.selectors.saved_views import ALL, FIXED, ListedView, default_of, views_of
from syncing.services.saved_views import SHARE, change_view, delete_view, save_view


@dataclass(frozen=True)
class ListViews:
    """What stands over a list. `opens`: the address of the default, if the list was asked for without anything."""

    list_name: str
    views: list[ListedView]
    query: str
    opens: str
    may_share: bool
    is_saved: bool

    @property
    def all_query(self) -> str:
        return f"?{urlencode({**FIXED.get(self.list_name, {}), **ALL})}"

    @property
    def changeable(self) -> list[ListedView]:
        return [each for each in self.views if each.may_change]


def list_views(request: HttpRequest, list_name: str, filters: ListFilters) -> ListViews:
    """Returns the views of a list for the person who asks."""
    may_share = request.user.has_perm(SHARE)
    views = views_of(list_name, person(request), filters.values, may_share=may_share)
    default = default_of(views)
    is_bare = not any(name in request.GET for name in (*filters.names(), *ALL, "p"))
    return ListViews(
        list_name=list_name,
        views=views,
        query=urlencode(filters.values),
        opens=f"{request.path}{default.query}" if default and is_bare else "",
        may_share=may_share,
        is_saved=any(each.is_here for each in views),
    )


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Saves the view that the form was sent from."""
    sent = request.POST
    with refusals_shown(request):
        view = save_view(
            sent.get("list", ""),
            sent.get("name", ""),
            QueryDict(sent.get("query", "")).dict(),
            shared="shared" in sent,
            is_default="default" in sent,
            by=actor_of(request),
        )
        messages.success(request, _("The view %(name)s is saved.") % {"name": view.name})
    return back_to_list(request, reverse("syncing:dashboard"))


@require_POST
def change(request: HttpRequest, view_id: int) -> HttpResponse:
    with refusals_shown(request):
        name, is_default = request.POST.get("name", ""), "default" in request.POST
        view = change_view(view_id, name=name, is_default=is_default, by=actor_of(request))
        messages.success(request, _("The view %(name)s is saved.") % {"name": view.name})
    return back_to_list(request, reverse("syncing:dashboard"))


@require_POST
def delete(request: HttpRequest, view_id: int) -> HttpResponse:
    with refusals_shown(request):
        view = delete_view(view_id, by=actor_of(request))
        messages.success(request, _("The view %(name)s is deleted.") % {"name": view.name})
    return back_to_list(request, reverse("syncing:dashboard"))
