"""Faults that pass: the table is complete, nothing is there twice, and the ledger tells."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

import pytest

from tests.faults.conftest import FIRST, LAST, MIDDLE, PAGES, Inbox

SECOND = timedelta(seconds=1)
PASSING: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "429 with seconds": {"status": 429, "headers": {"retry-after": "0.01"}},
    "429 with a past date": {
        "status": 429,
        "headers": {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"},
    },
    "429 with a reset": {"status": 429, "headers": {"x-ratelimit-reset": "0.01"}},
    "429 with nonsense": {"status": 429, "headers": {"retry-after": "soon, or nan"}},
    "408": {"status": 408},
    "500": {"status": 500},
    "500 beside a full budget": {
        "status": 500,
        "headers": {"x-ratelimit-remaining": "99", "x-ratelimit-reset": "3600"},
    },
    "502 in HTML": {"status": 502},
    "503": {"status": 503},
    "504": {"status": 504},
    "error 500 as 200": {"kind": "error_200"},
    "closed connection": {"kind": "close"},
    "truncated body": {"kind": "truncate"},
    "half of the JSON": {"kind": "bad_json"},
    "empty body": {"kind": "empty_body"},
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_at_any_page_loses_nothing(inbox: Inbox, fault: dict[str, Any]) -> None:
    inbox.break_pages(FIRST, MIDDLE, LAST, **fault)
    inbox.run()
    assert inbox.ids() == inbox.listed()
    assert inbox.ledger("requests, retries, pages, complete") == [(PAGES + 3, 3, PAGES, True)]
    assert len(inbox.sandbox.requests) == PAGES + 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["slow", "drip"])
def test_an_answer_slower_than_the_timeout_is_asked_for_again(
    inbox: Inbox, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME__REQUEST_TIMEOUT", "1.5")
    inbox.break_pages(FIRST, LAST, kind=kind, delay=timedelta(seconds=3 if kind == "slow" else 0.5))
    inbox.run()
    assert inbox.ids() == inbox.listed()
    assert inbox.ledger("retries, complete") == [(2, True)]


def test_a_slow_answer_within_the_timeout_is_taken(inbox: Inbox) -> None:
    inbox.break_pages(FIRST, kind="slow", delay=SECOND / 5)
    inbox.break_pages(MIDDLE, kind="drip", delay=SECOND / 50)
    inbox.break_pages(LAST, kind="gzip")
    inbox.run()
    assert inbox.ids() == inbox.listed()
    assert inbox.ledger("retries") == [(0,)]


@pytest.mark.parametrize("form", ["seconds", "date", "reset"])
def test_the_wait_that_the_api_asks_for_is_kept_and_told(
    inbox: Inbox, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "postpress_source")
    inbox.break_pages(MIDDLE, status=429, retry_after=SECOND, retry_form=form)
    start = time.monotonic()
    inbox.run()
    assert time.monotonic() - start >= 0.9
    [(waited, requests)] = inbox.ledger("waited_seconds, requests")
    # rounded up to a second on the wire; a date, which has no fraction, up to one more
    assert 0.5 <= waited <= 2.1
    assert requests == PAGES + 1
    [said] = [record for record in caplog.records if "Waiting" in record.message]
    assert "GET /chats, page 3" in said.message
    assert "x-ratelimit-reset" in said.message if form == "reset" else "Retry-After" in said.message
    assert "attempt 2 of 5" in said.message
    assert inbox.ids() == inbox.listed()


def test_a_wait_of_seconds_is_a_warning(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    inbox.break_pages(FIRST, status=503, retry_after=3 * SECOND)
    inbox.run()
    assert any(
        record.levelno == logging.WARNING and "Waiting 3.0 s (Retry-After)" in record.message
        for record in caplog.records
    )


def test_the_backoff_doubles_with_jitter_up_to_the_users_longest(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "postpress_source")
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.1")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_RETRY_DELAY", "0.3")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "6")
    inbox.break_pages(FIRST, status=500, times=5)
    inbox.run()
    waits = [
        record.args[2]
        for record in caplog.records
        if isinstance(record.args, tuple) and "Waiting" in record.msg
    ]
    bounds = [0.1, 0.2, 0.3, 0.3, 0.3]
    assert len(waits) == len(bounds)
    for wait, bound in zip(waits, bounds, strict=True):
        assert isinstance(wait, float)
        assert bound / 2 <= wait <= bound
    assert inbox.ledger("retries, round(waited_seconds, 6)") == [(5, round(sum(waits), 6))]  # type: ignore[arg-type]


@pytest.mark.parametrize("attempts", [1, 3])
def test_the_users_number_of_attempts_is_the_number_of_requests(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", str(attempts))
    inbox.break_pages(FIRST, status=500, times=None)
    assert inbox.fail().status == 500
    assert len(inbox.sandbox.requests) == attempts


def test_a_wait_longer_than_the_user_allows_ends_the_run_at_once(inbox: Inbox) -> None:
    inbox.break_pages(MIDDLE, status=429, retry_after=timedelta(hours=2))
    error = inbox.fail()
    assert "wait 7200 s (Retry-After), longer than the 300 s allowed" in str(error)
    assert "RUNTIME__REQUEST_MAX_RETRY_DELAY" in error.next_step
    assert len(inbox.sandbox.requests) == MIDDLE
