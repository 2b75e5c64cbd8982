"""Slowing down before the 429, and sharing what is left among walks."""

from __future__ import annotations

import logging
import time
from itertools import pairwise

import pytest

from postpress_source.sandbox import RateLimit, generate_world
from tests.faults.conftest import CHATS, Inbox


def refused(inbox: Inbox) -> int:
    return sum(request.status == 429 for request in inbox.sandbox.requests)


def test_one_walk_slows_down_before_it_is_refused(inbox: Inbox) -> None:
    inbox.sandbox.rate_limit = RateLimit(burst=6, per_second=2)  # 5 s, if requests took no time
    inbox.run(limit=CHATS // 16)
    assert inbox.ids() == inbox.listed()
    assert refused(inbox) == 0
    [(waited, retries)] = inbox.ledger("waited_seconds, retries")
    assert waited > 1
    assert retries == 0


def test_no_time_is_lost_while_there_is_budget(inbox: Inbox) -> None:
    inbox.sandbox.rate_limit = RateLimit(burst=1_000, per_second=10)
    inbox.run()
    assert inbox.ledger("waited_seconds") == [(0.0,)]


@pytest.mark.slow
def test_eight_walks_share_a_small_budget_and_all_end_well(inbox: Inbox) -> None:
    inbox.sandbox.world = generate_world(80, 8)
    inbox.sandbox.rate_limit = RateLimit(burst=1, per_second=2)
    inbox.run(account_id=sorted(inbox.sandbox.world.accounts), limit=5)
    assert inbox.ids() == inbox.listed()
    assert all(complete for (complete,) in inbox.ledger("complete"))
    assert refused(inbox) < len(inbox.sandbox.requests) / 2


def test_a_long_pause_is_told(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    headers = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "3"}
    caplog.set_level(logging.INFO, "postpress_source")
    inbox.break_pages(2, status=503, headers=headers)
    start = time.monotonic()
    inbox.run()
    assert time.monotonic() - start >= 3
    [said] = [record for record in caplog.records if "budget is nearly used up" in record.message]
    assert said.levelno == logging.WARNING
    assert "waiting 3.0 s" in said.message


@pytest.mark.slow
def test_a_refusal_of_one_walk_slows_the_others_too(inbox: Inbox) -> None:
    inbox.sandbox.world = generate_world(80, 2)
    inbox.sandbox.rate_limit = RateLimit(burst=1, per_second=2)
    inbox.run(account_id=sorted(inbox.sandbox.world.accounts), limit=20)
    assert inbox.ids() == inbox.listed()
    passed = [request for request in inbox.sandbox.requests if request.status == 200]
    assert all(first.number < second.number for first, second in pairwise(passed))
