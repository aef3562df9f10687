"""The second factor: which codes are right and how often, what is stored of them, and who takes one away."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from pytest_django import Settings
from time_machine import TimeMachineFixture

from accounts.actors import ADMIN, Actor
from accounts.refusals import Refusal
from accounts.services.keys import clear, rotate, unreadable_secrets
from syncing.models import AuditEntry, RecoveryCode, SecondFactor
from syncing.models.second_factor import MOST_DOUBLINGS
from syncing.selectors.second_factor import people_without, second_factor_of
from syncing.services import second_factor
from syncing.services.actors import COMMAND
from syncing.tests.second_factor import Phone, app_code, person
from syncing.tests.test_secrets import columns

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)  # a step begins


@pytest.fixture
def clock(time_machine: TimeMachineFixture) -> TimeMachineFixture:
    time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def phone(clock: TimeMachineFixture) -> Phone:
    return Phone.of(person())


def is_taken(phone: Phone, text: str) -> bool:
    return second_factor.use_code(phone.user, text) is not None


def told() -> list[tuple[str, str, dict[str, Any]]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "details"))


# -- codes of the app --


def test_a_code_is_taken_once(phone: Phone) -> None:
    assert [is_taken(phone, phone.code()), is_taken(phone, phone.code())] == [True, False]


def test_after_a_code_none_from_before_is_taken(phone: Phone, clock: TimeMachineFixture) -> None:
    before = phone.code()
    clock.shift(30)
    assert is_taken(phone, phone.code())
    clock.shift(3)  # after the pause
    assert not is_taken(phone, before)


@pytest.mark.parametrize(("steps", "is_right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_the_clock_of_a_phone_may_be_a_step_early_or_late(
    clock: TimeMachineFixture, steps: int, is_right: bool
) -> None:
    clock.shift(-300)
    phone = Phone.of(person())
    clock.shift(300)
    assert is_taken(phone, phone.code(steps=steps)) is is_right


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567", "abcdef", "１２３４５６", "12_456", "-12345", "+12345", "\0" * 6]
)
def test_what_is_no_code_is_wrong(phone: Phone, text: str) -> None:
    assert not is_taken(phone, text)


def test_spaces_as_apps_show_them_are_no_matter(phone: Phone) -> None:
    code = phone.code()
    assert is_taken(phone, f" {code[:3]} {code[3:]} ")


def test_each_wrong_code_doubles_the_pause_and_the_pause_has_an_end(phone: Phone, clock: TimeMachineFixture) -> None:
    pauses = []
    for _number in range(MOST_DOUBLINGS + 3):
        assert not is_taken(phone, phone.wrong_code())
        _is_allowed, facts = phone.factor.verify_is_allowed()
        pauses.append((facts["locked_until"] - datetime.now(UTC)).total_seconds())
        clock.shift(pauses[-1])
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512, 512]
    assert is_taken(phone, phone.code())
    assert phone.factor.throttling_failure_count == 0


def test_during_the_pause_no_code_is_looked_at_and_it_grows_no_longer(phone: Phone, clock: TimeMachineFixture) -> None:
    for _number in range(4):
        is_taken(phone, phone.wrong_code())
        clock.shift(0.1)
    assert phone.factor.throttling_failure_count == 1
    assert not is_taken(phone, phone.code())
    refusal = second_factor.obstacle(User.objects.get(), phone.code())
    assert refusal is not None
    assert "the next one can be checked in 1 second." in refusal.message
    clock.shift(1)
    assert second_factor.obstacle(User.objects.get(), phone.code()) is None
    assert is_taken(phone, phone.code())


def test_who_guesses_does_not_keep_the_owner_out(phone: Phone) -> None:
    for _number in range(20):
        is_taken(phone, phone.wrong_code())
    assert second_factor.obstacle(phone.user, phone.recovery_codes[0]) is None
    assert is_taken(phone, phone.recovery_codes[0])


# -- recovery codes --


def test_each_of_ten_recovery_codes_is_taken_once(phone: Phone) -> None:
    assert len(set(phone.recovery_codes)) == 10
    assert all(re.fullmatch("(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", code) for code in phone.recovery_codes)
    assert [is_taken(phone, code) for code in phone.recovery_codes * 2] == [True] * 10 + [False] * 10
    assert told()[-10:] == [("code_used", "anna", {"left": left}) for left in range(9, -1, -1)]


def test_a_recovery_code_may_be_typed_as_people_type(phone: Phone) -> None:
    first, second = phone.recovery_codes[:2]
    assert is_taken(phone, first.upper().replace("-", " "))
    assert is_taken(phone, f" {second.replace('-', '')} ")


def test_a_recovery_code_of_another_is_wrong(phone: Phone) -> None:
    other = Phone.of(person("ben"))
    assert not is_taken(phone, other.recovery_codes[0])
    assert is_taken(other, other.recovery_codes[0])


def test_new_recovery_codes_replace_those_before(phone: Phone) -> None:
    fresh = second_factor.make_codes(by=Actor.of_user(phone.user, ADMIN))
    assert not is_taken(phone, phone.recovery_codes[0])
    assert is_taken(phone, fresh[0])
    assert RecoveryCode.objects.count() == 9


# -- setting up --


def test_it_counts_only_after_a_right_code(clock: TimeMachineFixture) -> None:
    anna = person()
    by, factor = Actor.of_user(anna, ADMIN), second_factor.begin(anna)
    assert second_factor_of(User.objects.get()) is None
    assert second_factor.use_code(anna, app_code(factor)) is None
    for wrong in ("", "123", app_code(factor, steps=5)):
        with pytest.raises(Refusal, match="wrong"):
            second_factor.confirm(wrong, by=by, own_session="")
    assert second_factor_of(User.objects.get()) is None
    clock.shift(10)
    assert len(second_factor.confirm(app_code(factor), by=by, own_session="")) == 10
    assert second_factor_of(User.objects.get()) == factor
    assert told() == [("factor_on", "anna", {})]


def test_beginning_again_makes_another_key_and_one_in_use_is_left_alone(clock: TimeMachineFixture) -> None:
    anna = person()
    first, second = second_factor.begin(anna), second_factor.begin(anna)
    assert first.key != second.key
    assert SecondFactor.objects.get().key == second.key
    second_factor.confirm(app_code(second), by=Actor.of_user(anna, ADMIN), own_session="")
    with pytest.raises(Refusal, match="already"):
        second_factor.begin(anna)
    assert SecondFactor.objects.get().key == second.key


# -- taken away --


def test_switching_it_off_takes_the_codes_along(phone: Phone) -> None:
    by = Actor.of_user(phone.user, ADMIN)
    second_factor.switch_off(by=by)
    assert (SecondFactor.objects.count(), RecoveryCode.objects.count()) == (0, 0)
    assert told()[-1] == ("factor_off", "anna", {"user": "anna"})
    for act in (second_factor.switch_off, second_factor.make_codes):
        with pytest.raises(Refusal, match="no second factor"):
            act(by=by)


def test_only_who_may_change_people_resets_that_of_another(phone: Phone) -> None:
    ben, boss = person("ben"), person("boss", "change_user")
    with pytest.raises(Refusal, match=re.escape("auth.change_user")):
        second_factor.reset(phone.user, by=Actor.of_user(ben, ADMIN))
    assert SecondFactor.objects.exists()
    second_factor.reset(phone.user, by=Actor.of_user(boss, ADMIN))
    assert not SecondFactor.objects.exists()
    assert told()[-1] == ("factor_off", "boss", {"user": "anna"})
    with pytest.raises(Refusal, match="anna has no second factor"):
        second_factor.reset(phone.user, by=COMMAND)


def test_who_has_none_is_known(phone: Phone) -> None:
    second_factor.begin(person("ben"))
    person("carl")
    User.objects.create_user("gone", is_staff=True, is_active=False)
    User.objects.create_user("no staff")
    assert [each.username for each in people_without()] == ["ben", "carl"]


# -- at rest --


def test_neither_key_nor_codes_lie_in_clear_in_the_database(phone: Phone) -> None:
    stored = columns()
    assert "anna" in stored
    plain = [code.replace("-", "") for code in phone.recovery_codes]
    assert [each for each in (phone.factor.key, *plain, *phone.recovery_codes) if each in stored] == []
    assert phone.factor.key not in repr(phone.factor) + str(phone.factor)


def test_keys_of_encryption_are_rotated_and_the_app_stays_the_same(phone: Phone, settings: Settings) -> None:
    new, code = Fernet.generate_key().decode(), phone.code()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    assert rotate().unreadable == ()
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert unreadable_secrets() == ()
    assert is_taken(phone, code)


def test_without_the_key_of_encryption_only_recovery_codes_are_taken(phone: Phone, settings: Settings) -> None:
    code = phone.code()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    anna = User.objects.get()
    refusal = second_factor.obstacle(anna, code)
    assert refusal is not None
    assert "lost the key of your app" in refusal.message
    assert is_taken(phone, phone.recovery_codes[0])


def test_an_emptied_key_lets_nobody_in(phone: Phone) -> None:
    clear([f"syncing.SecondFactor {phone.factor.pk}"])
    assert phone.factor.key == ""
    assert not is_taken(phone, phone.next_code())  # whoever likes can work it out
    assert is_taken(phone, phone.recovery_codes[0])


def test_ending_a_lock_out_ends_the_pause(phone: Phone, clock: TimeMachineFixture) -> None:
    for _number in range(6):
        is_taken(phone, phone.wrong_code())
        clock.shift(timedelta(seconds=20))
    is_taken(phone, phone.wrong_code())
    assert second_factor.end_lock_out("anna")
    assert is_taken(phone, phone.code())
    assert not second_factor.end_lock_out("anna")
