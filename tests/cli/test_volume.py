"""Volume that is out of line: what the rule finds, and how often it is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from postpress_source.cli.volume import LEAST_WALKS, out_of_line
from postpress_source.sandbox import generate_world
from postpress_source.walks.walk import Walk
from tests.proof.listing import Order
from tests.proof.warehouse import Warehouse

pass_time = run_path(str(Path(__file__).parents[2] / "notebooks" / "sandbox_days.py"))["pass_time"]

NOW = datetime(2026, 5, 18, tzinfo=UTC)
DAYS = 30


def ledger(kind: str, *counts: int) -> list[dict[str, Any]]:
    """Walks a day apart, newest first."""
    return [
        {
            "account_id": None,
            "account_name": "all visible",
            "scope": "",
            "kind": kind,
            "complete": True,
            "chats_read": count,
            "started_at": NOW - timedelta(days=day),
        }
        for day, count in enumerate(counts)
    ]


STEADY = [1000 - 3 * day for day in range(20)]


@pytest.mark.parametrize(
    ("kind", "counts", "found"),
    [
        ("full", STEADY, False),
        ("full", [500, *STEADY], True),
        ("full", [2000, *STEADY], True),
        ("full", [1040, *STEADY], False),  # less than a twentieth
        ("full", [500, *STEADY[:LEAST_WALKS]], False),  # too few to compare with
        ("full", [560, 1000, 800, *STEADY], False),  # it has jumped like that before
        ("head", [250] * 20, False),
        ("head", [1000, *[250] * 20], True),
        ("head", [750, *[250] * 20], False),
        ("head", [0, *[250] * 20], False),  # quiet is what silence is for
        ("backfill", [9999, *[250] * 20], False),
    ],
)
def test_the_rule(kind: str, counts: list[int], found: bool) -> None:
    assert bool(out_of_line(ledger(kind, *counts))) is found


def test_what_is_older_than_four_weeks_is_forgotten() -> None:
    recent = [*ledger("full", 500), *aged(ledger("full", *[1000] * 12), 1)]
    long_ago = aged(ledger("full", 100, 1000), 40)
    assert out_of_line([*recent, *long_ago])
    assert not out_of_line([*recent, *aged(ledger("full", 100, 1000), 20)])


def aged(walks: list[dict[str, Any]], days: int) -> list[dict[str, Any]]:
    return [walk | {"started_at": walk["started_at"] - timedelta(days=days)} for walk in walks]


@pytest.fixture(scope="module")
def month() -> list[dict[str, Any]]:
    """The walks of a month, four a day, busy by day and quiet at weekends; newest first."""
    world = generate_world(1500, 4, now=NOW - timedelta(days=DAYS))
    warehouse = Warehouse(world, limit=50)
    walks: list[dict[str, Any]] = []
    for _ in range(DAYS * 4):
        pass_time(world, 1)
        walks += [as_row(walk, world.now) for walk in warehouse.run(Order())]
    return walks[::-1]


def as_row(walk: Walk, now: datetime) -> dict[str, Any]:
    """What the ledger says of it, as far as the rule looks at it."""
    (row,) = ledger(walk.kind, walk.chats)
    return row | {"complete": walk.complete, "started_at": now}


@pytest.mark.slow
def test_no_false_alarm_in_a_month(month: list[dict[str, Any]]) -> None:
    """What docs/command-line.md says of it."""
    assert {walk["kind"] for walk in month} == {"full", "head"}
    alarms = [finding for n in range(len(month)) for finding in out_of_line(month[n:])]
    assert len(alarms) == 0, alarms


@pytest.mark.slow
def test_true_alarms_in_the_same_month(month: list[dict[str, Any]]) -> None:
    full = next(n for n, walk in enumerate(month) if walk["kind"] == "full")
    short = month[full] | {"chats_read": month[full]["chats_read"] * 4 // 5}
    assert out_of_line([short, *month[full + 1 :]]), "a fifth of the inbox is gone"
    head = next(n for n, walk in enumerate(month) if walk["kind"] == "head")
    most = max(walk["chats_read"] for walk in month if walk["kind"] == "head")
    flood = month[head] | {"chats_read": 4 * most}
    assert out_of_line([flood, *month[head + 1 :]])
