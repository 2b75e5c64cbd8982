"""The tasks' work without Airflow: what a worker may lose, and what it may not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from postpress_shards import (
    Interval,
    Settings,
    ShardBusyError,
    is_terminal,
    load_shard,
    plan_shards,
)

from postpress_source.sandbox import Fault, Sandbox, generate_world, serve
from tests.airflow import landed

NOW = datetime(2026, 5, 17, 9, tzinfo=UTC)
ALL = {"name": "all", "accounts": None}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(generate_world(240, 6, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def duck(sandbox: Sandbox, tmp_path: Path) -> Settings:
    return Settings(sandbox.key, sandbox.url, credentials=str(tmp_path / "inbox.duckdb"))


@pytest.fixture
def four(sandbox: Sandbox, postgres: str) -> Settings:
    """Four shards into a dataset of their own on PostgreSQL."""
    accounts = tuple(sandbox.world.accounts)
    name = f"t_{uuid4().hex[:12]}"
    return Settings(sandbox.key, sandbox.url, "postgres", postgres, name, accounts, 4)


def test_an_account_keeps_its_shard_when_others_come_and_go() -> None:
    settings = Settings(
        destination="postgres", accounts=tuple(f"acc_{n}" for n in range(200)), shards=7
    )
    fewer = replace(settings, accounts=settings.accounts[::3])

    def by_account(settings: Settings) -> dict[str, str]:
        shards, _ = plan_shards(settings)
        pairs = [(account, shard["name"]) for shard in shards for account in shard["accounts"]]
        assert len(pairs) == len(dict(pairs)) == len(settings.accounts)
        return dict(pairs)

    assert by_account(fewer).items() <= by_account(settings).items()
    assert len(set(by_account(settings).values())) == 7


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"destination": "duckdb", "accounts": ("a", "b"), "shards": 4}, "duckdb"),
        ({"destination": "postgres", "shards": 4}, "`accounts`"),
        ({"destination": "postgres", "accounts": ("a", "b")}, "`shards` is 1"),
    ],
)
def test_one_task_is_explained(given: dict[str, Any], why: str) -> None:
    shards, said = plan_shards(Settings(**given))
    assert [shard["name"] for shard in shards] == ["all"]
    assert why in said


def test_a_worker_with_an_empty_disk_goes_on_where_the_last_one_stopped(
    sandbox: Sandbox, duck: Settings
) -> None:
    first = load_shard(ALL, duck)  # its working folder is gone when it returns
    sandbox.world.receive_message(sandbox.world.chat_ids[0])
    second = load_shard(ALL, duck)
    assert (first["kinds"], second["kinds"]) == ("1 full", "1 head")
    assert landed.chats(str(duck.credentials), "postpress") == landed.expected(
        sandbox.world.relist()
    )


# A try that dies hard, when its rows have landed and before the load is called done.
DIE = """
import os, sys
import postpress_shards as shards
from dlt.destinations.job_client_impl import SqlJobClientBase
SqlJobClientBase.complete_load = lambda self, load_id: os._exit(9)
settings = shards.Settings(*sys.argv[1:3], credentials=sys.argv[3])
shards.load_shard({"name": "all", "accounts": None}, settings)
"""


def test_a_task_killed_between_rows_and_state_moves_no_watermark(
    sandbox: Sandbox, duck: Settings
) -> None:
    load_shard(ALL, duck)
    ids = sandbox.world.chat_ids
    sandbox.world.receive_message(ids[0], at=NOW)
    path = str(duck.credentials)
    before = _watermark(path)
    died = subprocess.run(
        [sys.executable, "-c", DIE, sandbox.key, sandbox.url, path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, check=False,
    )  # fmt: skip
    assert died.returncode == 9
    assert landed.chats(path, "postpress") == landed.expected(sandbox.world.relist())
    assert _watermark(path) == before
    sandbox.world.receive_message(ids[1], at=NOW)
    retried = load_shard(ALL, duck)
    assert retried["kinds"] == "1 head"
    assert _watermark(path) == NOW > before
    assert landed.chats(path, "postpress") == landed.expected(sandbox.world.relist())


def _watermark(path: str) -> datetime:
    """What the next run will start from: the ledger's, of loads that were called done."""
    rows = landed.query(
        path,
        "SELECT max(watermark_after) FROM postpress.chat_walks JOIN postpress._dlt_loads "
        "ON load_id = _dlt_load_id WHERE status = 0",
    )
    watermark: datetime = rows[0][0]
    return watermark.astimezone(UTC)


def test_an_interval_loads_its_chats_and_leaves_the_watermark(
    sandbox: Sandbox, duck: Settings
) -> None:
    load_shard(ALL, duck)
    ids = sandbox.world.chat_ids
    path = str(duck.credentials)
    inside, outside = NOW - timedelta(days=3), NOW - timedelta(days=30)
    for chat, at in ((ids[0], inside), (ids[1], outside)):
        sandbox.world.edit(chat, timestamp=at, name="renamed")
    before = _watermark(path)
    done = load_shard(ALL, duck, Interval(NOW - timedelta(days=7), NOW - timedelta(days=1)))
    assert done["kinds"] == "1 backfill"
    renamed = landed.query(path, "SELECT id FROM postpress.chats WHERE name = 'renamed'")
    assert renamed == [(ids[0],)]
    assert _watermark(path) == before


def test_an_empty_interval_is_an_error(sandbox: Sandbox, duck: Settings) -> None:
    with pytest.raises(Exception, match="is empty") as caught:
        load_shard(ALL, duck, Interval(NOW, NOW))
    assert is_terminal(caught.value)
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("fault", "terminal"),
    [
        (Fault(status=401, times=None), True),
        (Fault(status=503, times=None), False),
        (Fault(kind="no_list", times=None), True),
        (Fault(kind="close", times=None), False),
    ],
)
def test_what_a_retry_can_mend(
    sandbox: Sandbox, duck: Settings, fault: Fault, terminal: bool
) -> None:
    sandbox.faults.add(fault)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its class is what is asked for
        load_shard(ALL, duck)
    assert is_terminal(caught.value) is terminal


def test_a_missing_key_is_terminal(duck: Settings) -> None:
    with pytest.raises(Exception, match="api_key") as caught:
        load_shard(ALL, replace(duck, api_key=None))
    assert is_terminal(caught.value)


@pytest.mark.server
def test_shards_at_once_lose_no_row(sandbox: Sandbox, four: Settings) -> None:
    """Also the first time, when all of them create the same tables."""
    four = replace(four, source={"full_walk_every": "PT0S"})  # deletions are seen only so
    shards, _ = plan_shards(four)
    with ProcessPoolExecutor(4, get_context("spawn"), initializer=_warm) as pool:
        for _ in range(3):
            summaries = list(pool.map(load_shard, shards, [four] * len(shards)))
            rows = landed.chats(str(four.credentials), four.dataset_name)
            assert rows == landed.expected(sandbox.world.relist())
            assert sorted(s["shard"] for s in summaries) == sorted(s["name"] for s in shards)
            sandbox.world.advance(timedelta(hours=12), activity=30)
    staging = landed.query(
        str(four.credentials),
        "SELECT count(*) FROM information_schema.tables WHERE table_name = 'chats' "  # noqa: S608
        f"AND table_schema LIKE '{four.dataset_name}\\_staging\\_%'",
    )
    assert staging == [(len(shards),)]


def _warm() -> None:
    import postpress_source  # noqa: F401 - so that the four start together


@pytest.mark.server
def test_a_second_run_of_a_shard_is_kept_out(sandbox: Sandbox, four: Settings) -> None:
    shard = plan_shards(four)[0][0]
    reading, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        reading.set()
        go_on.wait(300)

    sandbox.world.before_page = hold
    with closing(_Background(shard, four)) as first:
        assert reading.wait(300)
        sandbox.world.before_page = None
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            with pytest.raises(ShardBusyError, match="Another run"):
                pool.submit(load_shard, shard, four).result()
            go_on.set()
            first.thread.join(300)
            assert pool.submit(load_shard, shard, four).result()["kinds"].endswith("head")
    assert first.summary["kinds"].endswith("full")


HOLD = "import duckdb, sys; kept = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"


def test_a_duckdb_file_in_use_is_a_matter_of_time(sandbox: Sandbox, duck: Settings) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(duck.credentials)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout
    assert holder.stdout.readline()
    with pytest.raises(Exception, match="lock") as caught:
        load_shard(ALL, duck)
    assert not is_terminal(caught.value)
    holder.communicate()
    assert load_shard(ALL, duck)["chats_read"] == len(sandbox.world)


class _Background:
    def __init__(self, shard: dict[str, Any], settings: Settings) -> None:
        self.summary: dict[str, Any] = {}
        self.thread = threading.Thread(
            target=lambda: self.summary.update(load_shard(shard, settings))
        )
        self.thread.start()

    def close(self) -> None:
        self.thread.join(300)
