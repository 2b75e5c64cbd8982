"""Whole runs of the DAGs against the sandbox, judged by what landed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from postpress_source.sandbox import Sandbox, generate_world, serve
from tests.airflow import landed

pytestmark = pytest.mark.usefixtures("airflow_home")

DAGS = Path(__file__).parents[2] / "pipelines" / "airflow"
NOW = datetime(2026, 5, 17, 9, tzinfo=UTC)
Configure = Callable[..., None]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(generate_world(240, 6, now=NOW)) as sandbox:
        yield sandbox


def _dag(name: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS)).dags[name]


def _run(dag: Any, **options: Any) -> dict[str, list[str]]:
    """Run a DAG; returns its state, and each task's states, by their names."""
    dag_run = dag.test(**options)
    states: dict[str, list[str]] = {"run": [str(dag_run.state)]}
    for instance in sorted(dag_run.get_task_instances(), key=lambda one: one.map_index):
        states.setdefault(instance.task_id, []).append(str(instance.state))
    return states


def test_dags_test_loads_a_duckdb_file_by_one_task_and_few_lookups(
    sandbox: Sandbox, configure: Configure, tmp_path: Path, lookups: Callable[[], list[str]]
) -> None:
    path = str(tmp_path / "inbox.duckdb")
    configure(sandbox.url, sandbox.key, shards=4, accounts=list(sandbox.world.accounts),
              credentials=path)  # fmt: skip
    done = subprocess.run(
        [Path(sys.executable).with_name("airflow"), "dags", "test", "postpress_incremental"],
        capture_output=True, text=True, check=False,
        env=os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"},
    )  # fmt: skip
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "duckdb isn't known to take several writers" in log
    assert "Shard all: 6 walks (6 full), 240 chats on 6 pages" in log
    assert sandbox.key not in log
    assert landed.chats(path, "postpress") == landed.expected(sandbox.world.relist())
    runs = landed.query(path, "SELECT shard, loaded, chats_read FROM postpress.shard_runs")
    assert runs == [("all", True, 240)]
    asked = Counter(lookups())
    assert set(asked) == {
        "variable postpress", "connection postpress", "connection postpress_warehouse",
    }  # fmt: skip
    assert max(asked.values()) <= 2 * 3  # three tasks; Airflow may ask twice a look-up


@pytest.mark.server
def test_a_sick_account_fails_its_shard_only(
    sandbox: Sandbox, configure: Configure, postgres: str
) -> None:
    from postpress_shards import Settings, plan_shards

    dataset, accounts = f"t_{uuid4().hex[:12]}", tuple(sandbox.world.accounts)
    configure(sandbox.url, sandbox.key, postgres, destination="postgres", dataset_name=dataset,
              accounts=accounts, shards=4)  # fmt: skip
    shards, _ = plan_shards(Settings(destination="postgres", accounts=accounts, shards=4))
    sick = shards[1]["accounts"]
    for account in sick:
        sandbox.world.disconnect_account(account)
    states = _run(_dag("postpress_incremental"))
    assert states["load"] == [
        "failed" if shard["name"] == shards[1]["name"] else "success" for shard in shards
    ]
    assert (states["sum_up"], states["run"]) == (["failed"], ["failed"])
    healthy = [account for account in accounts if account not in sick]
    assert landed.chats(postgres, dataset) == landed.expected(
        sandbox.world.relist(account_id=healthy)
    )
    assert _loaded(postgres, dataset) == {s["name"]: s is not shards[1] for s in shards}

    for account in sick:
        sandbox.world.heal_account(account)
    states = _run(_dag("postpress_incremental"))
    assert states["run"] == ["success"]
    assert landed.chats(postgres, dataset) == landed.expected(sandbox.world.relist())
    kinds = landed.query(
        postgres,
        f"SELECT DISTINCT shard, kinds FROM {dataset}.shard_runs "  # noqa: S608
        "ORDER BY shard, kinds",
    )
    assert [kind for name, kind in kinds if name == shards[1]["name"] and kind] == [
        f"{len(sick)} full"
    ]
    assert sum("head" in (kind or "") for _, kind in kinds) == len(shards) - 1


def _loaded(destination: str, dataset: str) -> dict[str, bool]:
    return dict(
        landed.query(destination, f"SELECT shard, loaded FROM {dataset}.shard_runs")  # noqa: S608
    )


def test_a_backfill_takes_the_interval_of_its_run(
    sandbox: Sandbox, configure: Configure, tmp_path: Path
) -> None:
    path = str(tmp_path / "inbox.duckdb")
    configure(sandbox.url, sandbox.key, credentials=path)
    run_after = datetime(2026, 5, 1, tzinfo=UTC)
    states = _run(_dag("postpress_backfill"), logical_date=run_after)
    assert states["run"] == ["success"]
    april = [
        chat
        for chat in sandbox.world.relist()
        if not chat["timestamp"] or "2026-04-01" <= chat["timestamp"] < "2026-05-01"
    ]
    assert 0 < len(april) < 240
    assert landed.chats(path, "postpress") == landed.expected(april)


def test_an_empty_interval_is_not_green(
    sandbox: Sandbox, configure: Configure, tmp_path: Path
) -> None:
    """A cron text as schedule gives one; that is why the DAG has another timetable."""
    from airflow.sdk import CronTriggerTimetable

    configure(sandbox.url, sandbox.key, credentials=str(tmp_path / "inbox.duckdb"))
    dag = _dag("postpress_backfill")
    dag.timetable = CronTriggerTimetable("0 0 1 * *", timezone="UTC")
    states = _run(dag, logical_date=datetime(2026, 5, 1, tzinfo=UTC))
    assert states["load"] == ["failed"]
    assert states["run"] == ["failed"]
    assert not sandbox.requests


def test_a_full_walk_may_be_asked_for(
    sandbox: Sandbox, configure: Configure, tmp_path: Path
) -> None:
    path = str(tmp_path / "inbox.duckdb")
    configure(sandbox.url, sandbox.key, credentials=path)
    dag = _dag("postpress_incremental")
    for conf in ({}, {"full_walk": True}):
        sandbox.world.advance(timedelta(minutes=5))
        sandbox.world.rename(sandbox.world.relist()[-1]["id"], "seen by a full walk only")
        assert _run(dag, run_conf=conf)["run"] == ["success"]
        assert landed.chats(path, "postpress") == landed.expected(sandbox.world.relist())
