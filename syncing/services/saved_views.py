"""Saves, changes and deletes views of lists: one's own, and those of everybody for who may share."""

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.refusals import Refusal
from syncing.models import AuditAction, SavedView
from syncing.selectors.saved_views import FILTERS
from syncing.services import audit
from syncing.services.requirements import require_permission

SHARE = "syncing.share_view"
LONGEST_NAME = 60
MOST = 50  # views of one list that one person, or everybody, has


@transaction.atomic
def save_view(
    list_name: str, name: str, parameters: Mapping[str, str], *, shared: bool, is_default: bool, by: Actor
) -> SavedView:
    """Saves what a list looks for under a name; a view that has the name already shows it from now on.

    Raises Refusal: no such list, no name, nothing to look for, too many, or `shared` by somebody who may not share.
    """
    if shared:
        require_permission(by, SHARE)
    filters = FILTERS[list_name].of(parameters) if list_name in FILTERS else None
    if filters is None or not filters.values:
        raise Refusal("nothing_to_save", _("This view shows everything, so there is nothing to save."))
    User.objects.select_for_update().filter(username=by.name).first()  # who clicks twice saves once
    owner = None if shared else by.user
    views = SavedView.objects.filter(owner=owner, list=list_name)
    view = views.filter(name=_named(name)).first() or SavedView(owner=owner, list=list_name, name=_named(name))
    if view.pk is None and views.count() >= MOST:
        raise Refusal(
            "too_many", _("There are %(n)d views of this list already.") % {"n": MOST}, _("Delete one first.")
        )
    view.parameters = filters.values
    return _stored(view, is_default, by)


@transaction.atomic
def change_view(view_id: int, *, name: str, is_default: bool, by: Actor) -> SavedView:
    """Gives a view another name, and says whether its list is opened with it; raises Refusal."""
    view = _own_view(view_id, by)
    others = SavedView.objects.filter(owner=view.owner, list=view.list).exclude(pk=view.pk)
    view.name = _named(name)
    if others.filter(name=view.name).exists():
        message = _("There is a view called %(name)s already.") % {"name": view.name}
        raise Refusal("name_taken", message, _("Choose another name."))
    return _stored(view, is_default, by)


@transaction.atomic
def delete_view(view_id: int, *, by: Actor) -> SavedView:
    """Deletes a view; raises Refusal."""
    view = _own_view(view_id, by)
    _note(view, by, "deleted")
    view.delete()
    return view


def _stored(view: SavedView, is_default: bool, by: Actor) -> SavedView:
    view.is_default = is_default
    if is_default:
        others = SavedView.objects.filter(owner=view.owner, list=view.list, is_default=True).exclude(pk=view.pk)
        others.update(is_default=False)
    view.save()
    _note(view, by, "saved")
    return view


def _own_view(view_id: int, by: Actor) -> SavedView:
    """Returns a view that the one who asks may change."""
    view = SavedView.objects.filter(pk=view_id).first()
    if view is None or (not view.is_shared and view.owner_id != by.user_id):
        raise Refusal("unknown_view", _("This view is gone, or is not yours."), _("Load the page again."))
    if view.is_shared:
        require_permission(by, SHARE)
    return view


def _named(name: str) -> str:
    tidy = audit.tidy(name, LONGEST_NAME)
    if not tidy:
        raise Refusal("no_name", _("A view needs a name."), _("Give it one."))
    return tidy


def _note(view: SavedView, by: Actor, what: str) -> None:
    """Writes down what everybody will see differently."""
    if view.is_shared:
        audit.note(AuditAction.VIEW, by=by, details={"list": view.list, "name": view.name, "what": what})
