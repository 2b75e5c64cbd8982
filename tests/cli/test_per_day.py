"""`postpress plan --per-day`: what a day of runs costs, by what the ledger and history say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dlt
import pytest

from postpress_source import postpress_source
from postpress_source.cli.per_day import in_words, per_day
from postpress_source.sandbox import Sandbox
from tests.cli.conftest import Desk

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def walks(*costs: tuple[str, str | None, int]) -> list[dict[str, Any]]:
    return [{"kind": kind, "account_id": unit, "requests": n} for kind, unit, n in costs]


def test_requests_are_those_of_the_last_walks_and_rows_those_of_the_last_week(
    sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(postpress_source("pp_live_mine", sandbox.url))
    past = walks(("head", None, 2), ("head", None, 4), ("head", None, 90), ("full", None, 80))
    young = per_day(pipeline, [""], past, HOUR, DAY)
    assert young["requests"] == 23 * 4 + 80
    assert young["rows"] is None, "an hour isn't a day"
    assert in_words(young) == (
        "with a run every 1 h: 23 head and 1 full walks, 4 and 80 each: 172 requests"
    )
    with pipeline.sql_client() as client:
        for age, which in (("10 DAY", "TRUE"), ("2 DAY", "id IN (SELECT id FROM chats LIMIT 35)")):
            client.execute_sql(
                f"UPDATE chats_history SET seen_from = now() - INTERVAL {age} WHERE {which}"  # noqa: S608
            )
    assert per_day(pipeline, [""], past, HOUR, DAY)["rows"] == 35 / 7


@pytest.mark.parametrize(
    ("every", "full_walk_every", "requests"),
    [
        (HOUR, timedelta(0), 24 * 60),
        (HOUR, HOUR / 2, 24 * 60),
        (6 * HOUR, DAY, 3 * 4 + 60),
        (2 * DAY, DAY, 30),
    ],
)
def test_named_accounts_are_added_up(
    pipeline: dlt.Pipeline, every: timedelta, full_walk_every: timedelta, requests: int
) -> None:
    past = walks(("full", "a", 40), ("full", "b", 20), ("full", None, 1), ("head", "a", 2))
    assert per_day(pipeline, ["a", "b"], past, every, full_walk_every)["requests"] == requests
    unknown = per_day(pipeline, ["a", "c"], past, every, full_walk_every)
    assert unknown["requests"] is None
    assert "no full walk has been completed yet" in in_words(unknown)


def test_a_day_without_runs_is_refused(desk: Desk) -> None:
    for wrong in ("0h", "often"):
        ended = desk.run("plan", "--per-day", wrong)
        assert ended.code == 2
        assert "--per-day" in ended.err
