"""Messages to the workers: a broker that is down costs no run."""

import logging

import pytest
from redis.exceptions import ConnectionError as BrokerDown

from syncing.services import queue


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_is_logged_and_not_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(name: str) -> None:
        raise BrokerDown("refused")

    monkeypatch.setattr(queue, "async_task", refuse)
    with caplog.at_level(logging.ERROR):
        assert queue.call_lanes() > 0
        queue.call_lane()
    assert "the reaper asks again" in caplog.text
