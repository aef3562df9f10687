"""Who asks: what persons, keys and machines may, and what a refusal becomes on pages, forms and the command line."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from accounts.actors import Actor
from accounts.forms import RefusalsAsErrors
from accounts.management.base import RefusingCommand
from accounts.pages import refusals_shown
from accounts.refusals import Refusal

CHECK = "accounts.check_account"


class StandInKey:
    """A key whose maker may check accounts, and nothing else."""

    scopes = ("read",)

    def maker_may(self, permission: str) -> bool:
        return permission == CHECK


class Refusing(RefusingCommand):
    """Refuses with the code that it is given."""

    stealth_options = ("code",)

    def handle(self, *args: Any, code: str, **options: Any) -> None:
        raise Refusal(code, "It is not done.", "Do it otherwise.")


@pytest.mark.django_db
def test_a_person_may_what_they_may_now() -> None:
    ana = User.objects.create_user("ana")
    assert not Actor.of_user(ana, "admin").has(CHECK)

    ana.user_permissions.add(Permission.objects.get(codename="check_account"))

    assert Actor.of_user(User.objects.get(), "admin").has(CHECK)


def test_a_key_may_what_its_maker_may_and_a_machine_what_it_is_let_in_for() -> None:
    key = Actor("bot", "api", key_id=7, key=StandInKey())

    assert [key.has(CHECK), key.has("accounts.connect_account")] == [True, False]
    assert Actor("schedule", "schedule").has(CHECK)


def test_somebody_of_the_past_may_nothing() -> None:
    assert not Actor("bot", "api", key_id=7).has(CHECK)
    assert not Actor("ana", "admin", user_id=7, username="ana").has(CHECK)


def test_a_page_shows_what_is_refused_and_goes_on() -> None:
    request = RequestFactory().get("/")
    request.session = {}  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]

    with refusals_shown(request):
        raise Refusal("paused", "It is paused.", "Resume it.")
    with refusals_shown(request, about="Branches"):
        raise Refusal("paused", "It is paused.")

    assert [str(each) for each in get_messages(request)] == ["It is paused. Resume it.", "Branches: It is paused."]


def test_a_form_has_it_as_its_error() -> None:
    with pytest.raises(ValidationError, match="It is paused"), RefusalsAsErrors():
        raise Refusal("paused", "It is paused.")


@pytest.mark.parametrize(("code", "status"), [("no_such_run", 2), ("disk_full", 1), ("exists_already", 1)])
def test_a_command_ends_with_the_sentence_and_the_exit_code_of_the_refusal(code: str, status: int) -> None:
    with pytest.raises(CommandError, match=r"It is not done\. Do it otherwise\.") as ended:
        call_command(Refusing(), code=code)

    assert ended.value.returncode == status
