"""Messages to the workers: a broker that is down costs nothing but time."""

import logging

import pytest
from django.db import transaction
from django_q.models import OrmQ
from redis.exceptions import ConnectionError as BrokerDown

from accounts.services import queue

TASK = "accounts.tasks.upkeep"
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_goes_out_with_the_commit_and_not_before() -> None:
    with transaction.atomic():
        queue.send(TASK, 7)
        assert not OrmQ.objects.exists()
    assert OrmQ.objects.get().task["args"] == (7,)


def test_a_broker_that_is_down_is_logged_and_not_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(name: str) -> None:
        raise BrokerDown("refused")

    monkeypatch.setattr(queue, "async_task", refuse)
    with caplog.at_level(logging.ERROR):
        queue.send(TASK)
    assert "it is sent again later" in caplog.text
