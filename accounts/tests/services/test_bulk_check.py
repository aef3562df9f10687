"""Checking many connections as a job: joined, worked in slices, resumed, and ended by a block."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone
from django_q.models import OrmQ

from accounts.actors import Actor
from accounts.models import Account, CheckedAccount, ConnectionCheck
from accounts.services.health import bulk_check
from accounts.services.health.bulk_check import start_check
from accounts.simulator.faults import Fault
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db(transaction=True)
Health = Account.Health


def queued() -> list[int]:
    return [message.task["args"][0] for message in OrmQ.objects.all()]


def run(check: ConnectionCheck) -> list[str]:
    """Works the job as one worker would, message by message; what each said."""
    said = []
    while message := OrmQ.objects.first():
        message.delete()
        said.append(bulk_check.run_slice(message.task["args"][0]))
    check.refresh_from_db()
    return said


def accounts(world: World, count: int) -> list[Account]:
    names = [f"n{number:03}" for number in range(count)]
    return [AccountFactory(subdomain=name, token=world.add_account(name).token) for name in names]


# -- starting --


def test_a_job_has_all_accounts_and_says_so_to_the_workers_by_its_id() -> None:
    AccountFactory.create_batch(3)
    boss = User.objects.create_user("boss")
    check = start_check(by=Actor.of_user(boss, "admin"))
    assert (check.items.count(), check.requested_by, queued()) == (3, boss, [check.pk])


def test_a_second_order_for_the_same_accounts_joins_the_job_that_is_at_it() -> None:
    first, second = AccountFactory.create_batch(2)
    check = start_check([first.pk, second.pk])
    assert start_check([second.pk, first.pk]) == check
    assert start_check([first.pk]) != check
    ConnectionCheck.objects.update(finished_at=timezone.now())
    assert start_check([first.pk, second.pk]) != check


def test_of_two_orders_at_the_same_moment_the_older_remains() -> None:
    ids = frozenset([AccountFactory().pk])
    older, younger = bulk_check._create(ids, None), bulk_check._create(ids, None)
    assert bulk_check._start_oldest(younger, ids) == older
    assert list(ConnectionCheck.objects.all()) == [older]


def test_a_job_without_accounts_has_ended() -> None:
    check = start_check([])
    assert check.finished_at is not None
    assert queued() == []


def test_old_jobs_are_pruned_and_those_at_work_are_not() -> None:
    account = AccountFactory()
    working = start_check([account.pk])
    for _ in range(30):
        ConnectionCheck.objects.create(finished_at=timezone.now())
    other = AccountFactory()
    start_check([other.pk])
    assert ConnectionCheck.objects.filter(finished_at__isnull=False).count() == bulk_check.KEPT - 1
    assert ConnectionCheck.objects.filter(pk=working.pk).exists()


# -- working --


def test_a_job_checks_every_account_in_slices_and_keeps_each_outcome(simulator, world) -> None:
    made = accounts(world, 60)
    world.accounts["n007"].paid = False
    check = start_check()
    assert run(check) == ["to be continued", "to be continued", "done"]
    assert check.finished_at is not None
    assert check.items.filter(health=Health.CONNECTED).count() == 59
    item = check.items.get(account=made[7])
    made[7].refresh_from_db()
    assert (item.health, item.reason) == (made[7].health, made[7].health_reason) == (Health.UNPAID, item.reason)
    assert item.reason
    assert len(world.log) == 60 * 2 - 1  # the unpaid one says so at once


def test_doubled_and_late_messages_ask_nobody_twice(simulator, world) -> None:
    accounts(world, 30)
    check = start_check()
    assert bulk_check.run_slice(check.pk) == "to be continued"
    assert bulk_check.run_slice(check.pk) == "done"
    assert run(check) == ["ended, or in other hands"] * 2
    assert len(world.log) == 60


def test_a_job_in_other_hands_is_left_alone(simulator, world) -> None:
    accounts(world, 1)
    check = start_check()
    ConnectionCheck.objects.update(beat_at=timezone.now() - timedelta(seconds=10))
    assert bulk_check.run_slice(check.pk) == "ended, or in other hands"
    assert len(world.log) == 0


def test_a_message_for_a_job_that_is_gone_does_no_harm() -> None:
    assert bulk_check.run_slice(7) == "ended, or in other hands"


def test_a_blocked_ip_ends_the_job_with_a_note_and_blames_nobody_who_was_not_asked(simulator, world) -> None:
    accounts(world, 60)
    world.faults.add(Fault(kind="403_plain", times=1000))
    check = start_check()
    assert run(check) == ["blocked"]
    missed = check.items.filter(done_at=None).count()
    assert "IP address" in check.note
    assert f"Accounts that were not asked: {missed}." in check.note
    assert missed >= 35
    assert Account.objects.filter(health=Health.UNKNOWN).count() == missed


def test_an_account_that_is_deleted_meanwhile_is_not_waited_for(simulator, world) -> None:
    made = accounts(world, 3)
    check = start_check()
    made[1].delete()
    assert run(check) == ["done"]
    assert CheckedAccount.objects.count() == 2


# -- repair --


def test_a_lost_message_is_sent_again_by_the_reapers_round(simulator, world) -> None:
    accounts(world, 2)
    check = start_check()
    OrmQ.objects.all().delete()
    assert bulk_check.resume() == 0
    ConnectionCheck.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert bulk_check.resume() == 1
    assert bulk_check.resume() == 0
    assert run(check) == ["done"]


def test_a_job_whose_worker_died_in_the_middle_goes_on_where_it_stood(simulator, world) -> None:
    accounts(world, 30)
    check = start_check()
    bulk_check.run_slice(check.pk)
    OrmQ.objects.all().delete()
    ConnectionCheck.objects.update(beat_at=timezone.now())  # taken, and never heard of again
    assert bulk_check.resume() == 0
    ConnectionCheck.objects.update(beat_at=timezone.now() - timedelta(minutes=2))
    assert bulk_check.resume() == 1
    assert run(check) == ["done"]
    assert check.items.filter(health=Health.CONNECTED).count() == 30
    assert len(world.log) == 60


def test_a_job_that_nobody_can_end_is_given_up() -> None:
    AccountFactory()
    check = start_check()
    with time_machine.travel(timezone.now() + timedelta(hours=3)):
        assert bulk_check.resume() == 0
    check.refresh_from_db()
    assert check.finished_at is not None
    assert "log" in check.note
