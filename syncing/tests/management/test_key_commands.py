"""`api_key` and `webhook_token`: the secret alone on stdout, once."""

import pytest
from django.core.management import CommandError, call_command

from accounts.tests.factories import GroupFactory
from syncing.models import ApiKey
from syncing.services.keys import group_for_webhook, key_for

pytestmark = pytest.mark.django_db


def test_a_new_key_is_printed_alone_and_opens_the_door(capsys) -> None:
    call_command("api_key", "create", "bot", "--scope", "read", "--scope", "trigger")
    out = capsys.readouterr().out
    assert out == out.strip() + "\n"
    key = key_for(out.strip())
    assert key is not None
    assert (key.name, key.scopes) == ("bot", ["read", "trigger"])


def test_a_key_may_only_read_unless_told_otherwise(capsys) -> None:
    call_command("api_key", "create", "bot")
    assert ApiKey.objects.get().scopes == ["read"]


def test_a_name_is_given_once(capsys) -> None:
    call_command("api_key", "create", "bot")
    with pytest.raises(CommandError, match="bot already") as caught:
        call_command("api_key", "create", "bot")
    assert caught.value.returncode == 1
    assert ApiKey.objects.count() == 1


def test_the_token_of_the_only_group_is_printed_alone(capsys) -> None:
    group = GroupFactory()
    call_command("webhook_token")
    out = capsys.readouterr().out
    assert out == out.strip() + "\n"
    assert group_for_webhook(out.strip()) == group


def test_a_token_that_exists_is_replaced_only_when_told_so(capsys) -> None:
    group = GroupFactory()
    call_command("webhook_token")
    first = capsys.readouterr().out.strip()
    with pytest.raises(CommandError, match="--rotate") as caught:
        call_command("webhook_token", "--group", group.name)
    assert caught.value.returncode == 1
    assert group_for_webhook(first) == group
    call_command("webhook_token", "--rotate")
    assert group_for_webhook(first) is None
    assert group_for_webhook(capsys.readouterr().out.strip()) == group


@pytest.mark.parametrize("arguments", [[], ["--group", "Nobody"]])
def test_a_group_that_is_not_clear_is_asked_for(arguments) -> None:
    GroupFactory(name="North")
    GroupFactory(name="South")
    with pytest.raises(CommandError, match="North, South") as caught:
        call_command("webhook_token", *arguments)
    assert caught.value.returncode == 2
