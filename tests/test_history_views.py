"""The views over the days, on tables whose instants are chosen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dlt
import pytest

from postpress_source.chats.columns import ARRAYS, CHAT_WALKS, CHATS, HISTORY, WALK_ACCOUNTS
from postpress_source.chats.fields import COLUMNS
from postpress_source.cli.sla import Sla
from postpress_source.views import chats_as_of, create_views, drop_views, view_sql
from tests.proof.landed import select

pytestmark = pytest.mark.slow

NOON = datetime(2026, 5, 18, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POSTGRES = os.environ.get("POSTPRESS_TEST_POSTGRES")


def walk(at: datetime, **columns: Any) -> dict[str, Any]:
    """A full walk of all visible accounts that took a minute."""
    return {
        "started_at": at,
        "finished_at": at + HOUR / 60,
        "scope": "",
        "kind": "full",
        "to_the_end": True,
        "complete": True,
        **columns,
    }


def version(chat: str, since: datetime, until: datetime | None, **columns: Any) -> dict[str, Any]:
    row = {"id": chat, "account_id": "a1", "version": f"{chat} {since}", "unread_count": 0}
    return row | {"seen_from": since, "seen_until": until, "gone": False} | columns


LOOKS = [NOON + 12 * HOUR * number for number in range(6)]  # noon and midnight, three days
HISTORY_ROWS = [
    # unread from the second look on, read between the third and the fourth
    version("read", LOOKS[0], LOOKS[1]),
    version("read", LOOKS[1], LOOKS[3], unread_count=2, timestamp=NOON + HOUR),
    version("read", LOOKS[3], None, timestamp=NOON + HOUR),
    # waits since before the first look, renamed on the way, and still does
    version("waits", LOOKS[0], LOOKS[2], unread_count=-1, timestamp=NOON - 999 * HOUR),
    version("waits", LOOKS[2], None, unread_count=-1, name="x", timestamp=NOON - 999 * HOUR),
    # archived: unread, and waits for nobody
    version("archived", LOOKS[0], None, unread_count=1, archived=True),
    # went between the third and the fourth look, and was back at the sixth
    version("back", LOOKS[0], LOOKS[3], unread_count=1),
    version("back", LOOKS[5], None, unread_count=1),
]


@pytest.fixture(params=["duckdb", "postgres"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dlt.Pipeline]:
    destination: Any = dlt.destinations.duckdb(str(tmp_path / "inbox.duckdb"))
    if request.param == "postgres":
        if not POSTGRES:
            pytest.skip("POSTPRESS_TEST_POSTGRES is not set: `make servers-start`")
        destination = dlt.destinations.postgres(POSTGRES)
    pipeline = dlt.pipeline(
        "history_views",
        destination=destination,
        dataset_name=f"history_views_{os.getpid()}",
        pipelines_dir=str(tmp_path),
    )
    accounts = [{"started_at": at, "account_id": "a1", "saw_all": True} for at in LOOKS]
    folder = {"chat_id": "read", "value": "INBOX", "_dlt_list_idx": 0, "_dlt_id": "read:0"}
    tables: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
        "chats": ([{"id": "read", "account_id": "a1"}], dict(CHATS)),
        "chats__folder": ([folder], dict(ARRAYS["folder"])),
        "chats_history": (HISTORY_ROWS, dict(HISTORY)),
        "chat_walks": ([walk(at) for at in LOOKS], dict(CHAT_WALKS)),
        "chat_walk_accounts": (accounts, dict(WALK_ACCOUNTS)),
    }
    for name, (rows, columns) in tables.items():
        pipeline.run(rows, table_name=name, columns=columns)
    yield pipeline
    drop_views(pipeline)
    with pipeline.sql_client() as client:
        client.drop_dataset()


def test_the_days_have_two_bounds(pipeline: dlt.Pipeline) -> None:
    create_views(pipeline)
    numbers = ("unread_chats", "unread_at_least", "unread_at_most", "waiting_chats", "stale_chats")
    rows = select(pipeline, "SELECT * FROM inbox_backlog_daily")
    # On the second day nobody can say whether back was back already.
    assert {row["day"]: [row[name] for name in numbers] for row in rows} == {
        date(2026, 5, 19): [4, 4, 4, 3, 1],
        date(2026, 5, 20): [2, 2, 3, 1, 1],
    }
    assert {row["as_of"] for row in rows} == {NOON + 21 * HOUR, NOON + 45 * HOUR}


def test_the_day_of_the_first_load_has_a_row(pipeline: dlt.Pipeline) -> None:
    create_views(pipeline, at_hour=13)
    first, *_ = select(pipeline, "SELECT * FROM inbox_backlog_daily ORDER BY day")
    assert [first[name] for name in ("as_of", "unread_at_least", "unread_at_most")] == [
        *(NOON + HOUR, 3, 4),
    ]


def test_days_of_which_a_part_was_kept_have_no_row(pipeline: dlt.Pipeline) -> None:
    create_views(pipeline)
    before = select(pipeline, "SELECT * FROM inbox_backlog_daily ORDER BY day")
    with pipeline.sql_client() as client:
        client.execute_sql("DELETE FROM chats_history WHERE seen_until < %s", LOOKS[3])
        client.execute_sql(
            "UPDATE chat_walks SET history_from = %s WHERE started_at = %s", LOOKS[3], LOOKS[5]
        )
    assert select(pipeline, "SELECT * FROM inbox_backlog_daily") == before[1:]


def test_the_hour_and_its_zone_are_parameters(pipeline: dlt.Pipeline) -> None:
    create_views(pipeline, at_hour=1, time_zone="America/New_York")
    rows = select(pipeline, "SELECT DISTINCT as_of FROM inbox_backlog_daily ORDER BY as_of")
    assert [row["as_of"] for row in rows] == [NOON + 17 * HOUR, NOON + 41 * HOUR]
    with pytest.raises(ValueError, match="at_hour"):
        create_views(pipeline, at_hour=24)


def test_a_wait_has_two_ends_with_two_looks_each(pipeline: dlt.Pipeline) -> None:
    create_views(pipeline, sla_hours=20)
    minute = HOUR / 60
    waits = {
        (row["id"], row["began_by"]): [row[name] for name in WAIT]
        for row in select(pipeline, "SELECT * FROM inbox_waits")
    }
    assert waits == {
        ("read", LOOKS[1] + minute): [
            *(LOOKS[0], LOOKS[2], LOOKS[3] + minute, False),
            *(pytest.approx(12 - 1 / 60), pytest.approx(36 + 1 / 60), False),
        ],
        ("waits", LOOKS[0] + minute): [None, None, None, True, pytest.approx(60), None, True],
        ("back", LOOKS[0] + minute): [
            *(None, LOOKS[2], LOOKS[3] + minute, False),
            *(pytest.approx(24 - 1 / 60), None, True),
        ],
        ("back", LOOKS[5] + minute): [
            *(LOOKS[3], None, None, True, 0),
            *(pytest.approx(24 + 1 / 60), False),
        ],
    }


WAIT = (
    *("began_after", "ended_after", "ended_by", "open"),
    *("at_least_hours", "at_most_hours", "over_sla"),
)


@pytest.mark.parametrize(
    ("hours", "zone", "limit"),
    [
        (None, "Europe/Berlin", 24),
        ((9, 17), "UTC", 8),  # a day's hours: over from the next day's opening on
        ((8, 18), "Europe/Berlin", 47),
        ((9, 17), "America/New_York", 0),
        ((0, 24), "Asia/Kolkata", 30),
    ],
)
def test_the_limit_counts_business_hours_as_the_command_line_does(
    pipeline: dlt.Pipeline, hours: tuple[int, int] | None, zone: str, limit: int
) -> None:
    evenings = [NOON + timedelta(days=day, hours=7 * day) for day in range(4, 9)]  # a weekend, too
    rows = [version(f"{at}", at, None, unread_count=1) for at in evenings]
    pipeline.run(rows, table_name="chats_history", columns=dict(HISTORY))
    walks = [walk(at) for at in evenings]
    pipeline.run(walks, table_name="chat_walks", columns=dict(CHAT_WALKS))
    create_views(pipeline, sla_hours=limit, business_hours=hours, time_zone=zone)
    opens, closes = ([timedelta(hours=hour) for hour in hours]) if hours else (None, None)
    sla = Sla(timedelta(hours=limit), ZoneInfo(zone), zone, opens, closes)
    as_of = evenings[-1] + HOUR / 60
    waits = select(pipeline, "SELECT * FROM inbox_waits")
    assert len(waits) == 4 + len(evenings)
    for wait in waits:
        began, over_at = wait["began_by"], wait["over_sla_at"]
        assert sla.age(began, over_at) == sla.limit
        until = wait["ended_after"] or as_of
        assert wait["over_sla"] == (until > over_at) == (sla.age(began, until) > sla.limit)


def test_business_hours_that_are_none_are_refused(pipeline: dlt.Pipeline) -> None:
    with pytest.raises(ValueError, match="business_hours"):
        create_views(pipeline, business_hours=(17, 9))


def test_a_days_health_counts_what_the_day_before_brought(pipeline: dlt.Pipeline) -> None:
    failed = [walk(NOON + 30 * HOUR, complete=False), walk(NOON + 31 * HOUR, account_id="other")]
    pipeline.run(failed, table_name="chat_walks", columns=dict(CHAT_WALKS))
    create_views(pipeline, sla_hours=20)
    numbers = ("waiting_chats", "over_sla", "began", "ended", "walks", "failed_walks")
    rows = select(pipeline, "SELECT * FROM inbox_health_daily")
    # back and waits had waited for 21 hours on the first day; on the second, back was gone.
    assert {row["day"]: [row[name] for name in numbers] for row in rows} == {
        date(2026, 5, 19): [3, 2, 3, 0, 2, 0],
        date(2026, 5, 20): [1, 1, 0, 2, 3, 1],
    }
    assert [row["behind_hours"] for row in rows] == [pytest.approx(9 - 1 / 60)] * 2


def test_what_changed_and_what_went(pipeline: dlt.Pipeline) -> None:
    create_views(pipeline)
    changes = select(pipeline, "SELECT * FROM chat_changes ORDER BY until, field")
    assert [(c["id"], c["field"], c["old"], c["new"]) for c in changes] == [
        ("read", "timestamp", None, "2026-05-18 13:00:00"),
        ("read", "unread_count", "0", "2"),
        ("waits", "name", None, "x"),
        ("read", "unread_count", "2", "0"),
    ]
    assert [c["after"] for c in changes] == [LOOKS[0], LOOKS[0], LOOKS[1], LOOKS[2]]
    assert [c["until"] - HOUR / 60 for c in changes] == [LOOKS[1], LOOKS[1], LOOKS[2], LOOKS[3]]
    (gone,) = select(pipeline, "SELECT * FROM chats_gone")
    assert [gone[name] for name in ("id", "account_id", "after", "until")] == [
        *("back", "a1", LOOKS[2], LOOKS[3] + HOUR / 60),
    ]


def test_the_changes_are_of_every_column() -> None:
    compared = set(re.findall(r"\('(\w+)', ", view_sql("chat_changes")))
    assert compared == {field.name for field in COLUMNS} - {"id", "account_id"}


@pytest.mark.parametrize(
    ("instant", "chats"),
    [
        (LOOKS[0] - HOUR, set()),
        (LOOKS[0], {"read", "waits", "archived", "back"}),
        (LOOKS[3], {"read", "waits", "archived"}),
        (LOOKS[5] + timedelta(days=9), {"read", "waits", "archived", "back"}),
    ],
)
def test_the_chats_of_an_instant(
    pipeline: dlt.Pipeline, instant: datetime, chats: set[str]
) -> None:
    rows = chats_as_of(pipeline, instant)
    assert {row["id"] for row in rows} == chats
    assert len(rows) == len(chats)
