"""The views say the same as the API's own list, counted with pandas, wherever they stand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import dlt
import pandas as pd
import pytest
from dlt.common.destination import Destination

from postpress_source import PostpressArgumentError, postpress_source
from postpress_source.sandbox import Sandbox, World, generate_world, serve
from postpress_source.views import (
    HISTORY_VIEWS,
    VIEWS,
    chats_as_of,
    create_views,
    drop_views,
    view_sql,
)

POSTGRES: Final = os.environ.get("POSTPRESS_TEST_POSTGRES", "")
SICK: Final = "errors/disconnected_account"

DESTINATIONS = [
    "duckdb",
    pytest.param(
        "postgres",
        marks=[
            pytest.mark.server,
            pytest.mark.skipif(not POSTGRES, reason="POSTPRESS_TEST_POSTGRES is not set"),
        ],
    ),
]


@pytest.fixture(params=DESTINATIONS)
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dlt.Pipeline]:
    destination: Destination[Any, Any] = (
        dlt.destinations.postgres(POSTGRES)
        if request.param == "postgres"
        else dlt.destinations.duckdb(str(tmp_path / "inbox.duckdb"))
    )
    pipeline = dlt.pipeline(
        "views",
        destination=destination,
        dataset_name=f"views_{uuid4().hex[:8]}",
        pipelines_dir=str(tmp_path / "pipelines"),
    )
    yield pipeline
    if request.param == "postgres":
        with pipeline.sql_client() as client:
            client.drop_dataset()


def rows(pipeline: dlt.Pipeline, view: str) -> pd.DataFrame:
    with pipeline.sql_client() as client, client.execute_query(f"SELECT * FROM {view}") as cursor:  # noqa: S608
        frame = cursor.df()
    assert frame is not None
    return frame


def freshness(pipeline: dlt.Pipeline) -> dict[str, dict[Any, Any]]:
    """The view `account_freshness` by account; None for null."""
    frame = rows(pipeline, "account_freshness").astype("object")
    records = frame.where(frame.notna(), None).to_dict("records")
    return {str(record["account_id"]): dict(record) for record in records}


def walks(pipeline: dlt.Pipeline) -> pd.DataFrame:
    return rows(pipeline, "chat_walks").sort_values("started_at")


def truth(world: World, as_of: pd.Timestamp) -> pd.DataFrame:
    """The API's list with the views' flags, worked out from what the API shows."""
    chats = pd.DataFrame(world.relist())
    at = pd.to_datetime(chats["timestamp"], utc=True)
    until = pd.to_datetime(chats["muted_until"].where(chats["muted_until"] != -1), utc=True)
    content = chats["content_type"].fillna("")
    frame = pd.DataFrame(
        {
            "id": chats["id"],
            "account_id": chats["account_id"],
            "account_type": chats["account_type"],
            "folder": chats["folder"],
            "last_activity_at": at,
            "content_type": content,
            "unread": chats["unread_count"] != 0,
            "archived": chats["archived"] == 1,
            "muted": (chats["muted_until"] == -1) | (until > as_of),
            "idle_hours": (as_of - at) / pd.Timedelta(hours=1),
        }
    )
    quiet = frame["archived"] | frame["muted"] | (content == "sponsored")
    return frame.assign(waiting=frame["unread"] & ~quiet)


def same(actual: pd.DataFrame, expected: pd.DataFrame, key: list[str]) -> None:
    """The same rows, whatever their order; the columns of `expected` are the ones compared."""
    pd.testing.assert_frame_equal(
        actual[list(expected.columns)].sort_values(key, ignore_index=True),
        expected.sort_values(key, ignore_index=True),
        check_dtype=False,
        rtol=1e-9,
    )


def backlog(chats: pd.DataFrame) -> pd.Series[Any]:
    unread, waiting = chats[chats["unread"]], chats[chats["waiting"]]
    return pd.Series(
        {
            "chats": len(chats),
            "unread_chats": len(unread),
            "waiting_chats": len(waiting),
            "stale_chats": (waiting["idle_hours"] >= 7 * 24).sum(),
            "oldest_unread_hours": unread["idle_hours"].max(),
        }
    )


def by(chats: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            dict(zip(key, names, strict=True)) | dict(backlog(part))
            for names, part in chats.groupby(key)
        ]
    )


@pytest.fixture
def loaded(pipeline: dlt.Pipeline) -> tuple[dlt.Pipeline, pd.DataFrame]:
    """A pipeline with two loads and the views, and the truth about its chats."""
    world = generate_world(400, 8, now=datetime.now(UTC) - timedelta(days=2))
    chat_ids = world.chat_ids
    world.mark_unread(chat_ids[0])
    world.mute(chat_ids[1], datetime.now(UTC) + timedelta(hours=1))
    world.mute(chat_ids[2], datetime.now(UTC) - timedelta(hours=1))
    linkedin = next(i for i in chat_ids if world.chat(i)["account_type"] == "LINKEDIN")
    twice = ["INBOX_LINKEDIN_RECRUITER", "INBOX_LINKEDIN_CLASSIC", "INBOX_LINKEDIN_CLASSIC"]
    world.refile(linkedin, twice)
    with serve(world) as sandbox:
        pipeline.run(postpress_source(sandbox.key, sandbox.url))
        create_views(pipeline)
        world.advance(timedelta(days=1))
        pipeline.run(postpress_source(sandbox.key, sandbox.url, full_walk_every=timedelta(0)))
    as_of = walks(pipeline)["finished_at"].max()
    return pipeline, truth(world, as_of)


def test_inbox_views_count_what_the_api_lists(loaded: tuple[dlt.Pipeline, pd.DataFrame]) -> None:
    pipeline, chats = loaded
    flags = ["id", "unread", "archived", "muted", "waiting", "idle_hours", "last_activity_at"]
    same(rows(pipeline, "inbox_chats"), chats[flags], ["id"])
    account = ["account_type", "account_id"]
    same(rows(pipeline, "inbox_backlog"), by(chats, account), account)

    linkedin = chats[chats["account_type"] == "LINKEDIN"].explode("folder")
    inbox = linkedin["folder"].astype("str").str.extract("^INBOX_LINKEDIN_(.+)$")[0].str.lower()
    named = linkedin.assign(inbox=inbox).drop_duplicates(["id", "inbox"])
    alone = ~named["id"].isin(named.loc[named["inbox"].notna(), "id"])
    named = named[named["inbox"].notna() | alone].fillna({"inbox": "none"})
    assert set(named["inbox"]) >= {"classic", "recruiter", "none"}
    same(
        rows(pipeline, "inbox_linkedin"),
        by(named, ["account_id", "inbox"]),
        ["account_id", "inbox"],
    )


def test_ages_hours_and_shares_are_those_of_the_api(
    loaded: tuple[dlt.Pipeline, pd.DataFrame],
) -> None:
    pipeline, chats = loaded
    names = {1: "under a day", 2: "1 to 7 days", 3: "7 to 30 days", 4: "30 days or more"}
    unread = chats[chats["unread"]]
    order = pd.cut(unread["idle_hours"], [-1e9, 24, 168, 720, 1e9], right=False, labels=list(names))
    unread = unread.assign(age_order=order.astype("float").fillna(5).astype(int))
    ages = (
        unread.groupby(["account_type", "age_order"])
        .agg(unread_chats=("id", "count"), waiting_chats=("waiting", "sum"))
        .reset_index()
    )
    ages["age"] = ages["age_order"].map(names).fillna("unknown")
    same(rows(pipeline, "inbox_unread_age"), ages, ["account_type", "age_order"])

    dated = chats.dropna(subset="last_activity_at")
    at = dated["last_activity_at"].dt
    key = ["account_type", "weekday", "hour"]
    hours = dated.assign(weekday=at.isocalendar().day, hour=at.hour).groupby(key).size()
    same(rows(pipeline, "inbox_activity"), hours.reset_index(name="chats"), key)

    marks = chats.assign(
        inmail=chats["content_type"] == "inmail", sponsored=chats["content_type"] == "sponsored"
    )
    flags = ["inmail", "sponsored", "muted", "archived"]
    parts = marks.groupby("account_type")[flags]
    shares = parts.mean().add_suffix("_share").join(parts.sum().add_suffix("_chats"))
    assert (shares.loc["LINKEDIN"] > 0).all()
    same(rows(pipeline, "inbox_shares"), shares.reset_index(), ["account_type"])


def test_walk_views_add_up_to_the_ledger(loaded: tuple[dlt.Pipeline, pd.DataFrame]) -> None:
    pipeline, chats = loaded
    ledger = walks(pipeline)
    runs = rows(pipeline, "walk_runs").sort_values("run")
    assert list(runs["run"]) == [1, 2]
    assert list(runs["kind"]) == ["full", "full"]
    assert list(runs["chats_read"]) == list(ledger["chats_read"])
    assert list(runs["seconds"]) == pytest.approx(
        (ledger["finished_at"] - ledger["started_at"]).dt.total_seconds()
    )
    (kind,) = rows(pipeline, "walk_kinds").to_dict("records")
    assert (kind["kind"], kind["walks"], kind["failed_walks"]) == ("full", 2, 0)
    assert kind["chats_read"] == ledger["chats_read"].sum()

    fresh = rows(pipeline, "account_freshness")
    newest = chats.groupby("account_id").agg(
        chats=("id", "count"), newest_chat_at=("last_activity_at", "max")
    )
    same(fresh, newest.reset_index(), ["account_id"])
    assert (fresh["behind_hours"] == 0).all()
    assert (fresh["last_read_at"] == ledger["finished_at"].max()).all()
    assert (fresh["watermark"] == chats["last_activity_at"].max()).all()
    assert fresh["error_type"].isna().all()


def test_a_skipped_account_shows_since_when_and_what_to_do(pipeline: dlt.Pipeline) -> None:
    world = World(now=datetime.now(UTC) - timedelta(hours=1))
    well = world.connect_account("WHATSAPP", history=5)
    sick = world.connect_account("LINKEDIN", history=5)
    never = world.connect_account("TELEGRAM", history=5)
    world.disconnect_account(never)
    accounts = [well, sick, never]
    with serve(world) as sandbox:
        pipeline.run(postpress_source(sandbox.key, sandbox.url, account_id=accounts))
        world.disconnect_account(sick, SICK)
        pipeline.run(postpress_source(sandbox.key, sandbox.url, account_id=accounts))
        create_views(pipeline)
        fresh = freshness(pipeline)
        world.heal_account(sick)
        pipeline.run(postpress_source(sandbox.key, sandbox.url, account_id=accounts))
    first, last = walks(pipeline).query("complete")["started_at"].iloc[[0, -1]]
    assert fresh[sick]["error_type"] == SICK
    assert fresh[sick]["next_step"]
    assert first < fresh[sick]["last_read_at"] < last
    assert fresh[sick]["behind_hours"] > 0
    assert (fresh[well]["behind_hours"], fresh[well]["chats"]) == (0, 5)
    assert fresh[well]["error_type"] is None
    assert (fresh[never]["chats"], fresh[never]["error_type"]) == (0, SICK)
    assert fresh[never]["last_read_at"] is None
    assert freshness(pipeline)[sick]["error_type"] is None
    kinds = rows(pipeline, "walk_kinds")
    assert kinds["failed_walks"].sum() == 4


def test_only_walks_that_covered_an_account_make_it_fresh(pipeline: dlt.Pipeline) -> None:
    world = World(now=datetime.now(UTC) - timedelta(hours=1))
    whatsapp = world.connect_account("WHATSAPP", history=5)
    linkedin = world.connect_account("LINKEDIN", history=5)
    with serve(world) as sandbox:
        pipeline.run(postpress_source(sandbox.key, sandbox.url))
        pipeline.run(postpress_source(sandbox.key, sandbox.url, account_type="LINKEDIN"))
        source = postpress_source(sandbox.key, sandbox.url)
        source.chats.apply_hints(
            incremental=dlt.sources.incremental(
                "timestamp",
                initial_value=world.now - timedelta(days=1),
                end_value=world.now,
                on_cursor_value_missing="include",
                primary_key=(),
            )
        )
        pipeline.run(source)
    create_views(pipeline)
    fresh = freshness(pipeline)
    both, one, backfill = walks(pipeline)["finished_at"]
    assert fresh[whatsapp]["last_read_at"] == both
    assert fresh[linkedin]["last_read_at"] == one
    behind = (one - both).total_seconds() / 3600
    assert backfill > one
    assert fresh[whatsapp]["behind_hours"] == pytest.approx(behind)


def test_views_can_be_made_again_dropped_and_used_without_dlt(tmp_path: Path) -> None:
    file = tmp_path / "file.duckdb"
    pipeline = dlt.pipeline(
        "views",
        destination=dlt.destinations.duckdb(str(file)),
        dataset_name="inbox",
        pipelines_dir=str(tmp_path / "pipelines"),
    )
    with serve(generate_world(50, 2)) as sandbox:
        pipeline.run(postpress_source(sandbox.key, sandbox.url))
    create_views(pipeline)
    create_views(pipeline)
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        (chats,) = connection.execute("SELECT SUM(chats) FROM inbox.inbox_backlog").fetchone()
    assert chats == 50
    drop_views(pipeline)
    with pipeline.sql_client() as client:
        left = client.execute_sql("SELECT COUNT(*) FROM duckdb_views() WHERE NOT internal")
    assert left == [(0,)]


def test_every_file_is_a_view_that_says_what_it_is() -> None:
    folder = Path(view_sql.__globals__["__file__"]).parent
    views = (*VIEWS, *HISTORY_VIEWS)
    assert {path.stem for path in folder.glob("*.sql")} == {*views, "chats_as_of"}
    for name in views:
        text = view_sql(name)
        assert text.startswith("-- One row ")
        assert f"\nCREATE VIEW {name} AS\n" in text


@pytest.mark.parametrize("place", ["sqlite", "files"])
def test_a_destination_that_cannot_have_the_views_is_told_before_anything_is_asked(
    tmp_path: Path, place: str
) -> None:
    destination: Any = (
        dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}/inbox.db")
        if place == "sqlite"
        else dlt.destinations.filesystem(str(tmp_path))
    )
    pipeline = dlt.pipeline("views", destination=destination, pipelines_dir=str(tmp_path))
    with pytest.raises(PostpressArgumentError, match=r"duckdb, postgres, .* chats_as_of works"):
        create_views(pipeline)
    if place == "files":
        with pytest.raises(PostpressArgumentError, match="appended versions"):
            chats_as_of(pipeline, datetime.now(UTC))


@pytest.mark.filterwarnings("ignore:Coercing Subquery object")  # dlt 1.31, its merge
def test_the_chats_of_a_whole_second_are_found_in_sqlite(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__WORKERS", "1")  # SQLite has one writer
    at = datetime(2026, 5, 17, 9, tzinfo=UTC)
    pipeline = dlt.pipeline(
        "views",
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}/inbox.db"),
        dataset_name="in_sqlite",
        pipelines_dir=str(tmp_path),
    )
    pipeline.run(postpress_source("pp_live_of_the_tests", sandbox.url))
    with pipeline.sql_client() as client:
        name = client.make_qualified_table_name("chats_history")
        client.execute_sql(f"UPDATE {name} SET seen_from = '2026-05-17 09:00:00.000000'")  # noqa: S608
    assert len(chats_as_of(pipeline, at)) == 120
    assert not chats_as_of(pipeline, at - timedelta(microseconds=1))
