"""A real scheduler, real executors, and a worker killed in the middle: `make test-airflow-heavy`.

It prints the figures that `docs/airflow.md` states.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any
from uuid import uuid4

import psutil  # type: ignore[import-untyped]
import pytest

from postpress_source.sandbox import Fault, Sandbox, generate_world, serve
from tests.airflow import landed
from tests.airflow.cluster import Cluster, free_port, kill, redis
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

DAGS = Path(__file__).parents[2] / "pipelines" / "airflow"
NOW = datetime(2026, 5, 17, 9, tzinfo=UTC)
INCREMENTAL, BACKFILL = "postpress_incremental", "postpress_backfill"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(generate_world(2_000, 12, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def dataset() -> str:
    return f"t_{uuid4().hex[:12]}"


def _settings(sandbox: Sandbox, postgres: str, dataset: str, **source: Any) -> dict[str, str]:
    variable = {
        "destination": "postgres", "dataset_name": dataset, "shards": 4,
        "accounts": list(sandbox.world.accounts), "source": source,
    }  # fmt: skip
    api = {"conn_type": "http", "password": sandbox.key, "host": sandbox.url}
    return {
        "AIRFLOW_CONN_POSTPRESS": json.dumps(api),
        "AIRFLOW_CONN_POSTPRESS_WAREHOUSE": postgres,
        "AIRFLOW_VAR_POSTPRESS": json.dumps(variable),
        "RUNTIME__REQUEST_MAX_ATTEMPTS": "2",
    }


def _say(what: str, started: float) -> None:
    print(f"\n== {what}: {time.monotonic() - started:.0f} s", flush=True)


def test_local_executor(sandbox: Sandbox, postgres: str, dataset: str, tmp_path: Path) -> None:
    world = sandbox.world
    env = _settings(sandbox, postgres, dataset)
    one_account = list(world.accounts)[2]
    fault = sandbox.faults.add(Fault(status=503, account_id=one_account, times=2))
    with Cluster(tmp_path, postgres, DAGS, "LocalExecutor", env) as airflow:
        started = time.monotonic()
        airflow.cli("dags", "unpause", "-y", INCREMENTAL)
        airflow.wait_for(INCREMENTAL, 1, 600)
        _say("a scheduled run, four shards, one of them tried again after a fault", started)
        assert airflow.sql(f"SELECT run_type FROM dag_run WHERE dag_id = '{INCREMENTAL}'") == [  # noqa: S608
            ("scheduled",)
        ]
        assert fault.hits == 2
        assert sorted(try_number for _, _, try_number in airflow.tries(INCREMENTAL)) == [1, 1, 1, 2]
        assert landed.chats(postgres, dataset) == landed.expected(world.relist())
        assert airflow.sql("SELECT count(*) FROM asset_event") == [(1,)]

        months = [datetime(2026, month, 10, tzinfo=UTC) for month in (1, 2, 3, 4)]
        renamed = [_newest_before(sandbox, month) for month in months]
        for chat in renamed:
            world.rename(chat, "renamed")
        started = time.monotonic()
        airflow.cli("dags", "unpause", "-y", BACKFILL)
        airflow.cli("dags", "pause", "-y", INCREMENTAL)
        airflow.cli(
            "backfill", "create", "--dag-id", BACKFILL,
            "--from-date", "2026-02-01", "--to-date", "2026-04-01",
        )  # fmt: skip
        wait_for(
            lambda: _backfilled(airflow) == 3, "three runs of the backfill", seconds=900, pause=1
        )
        _say("a backfill of three intervals, one shard at a time", started)
        name = f"SELECT id FROM {dataset}.chats WHERE name = 'renamed'"  # noqa: S608
        assert {chat for (chat,) in landed.query(postgres, name)} == set(renamed[1:])
        kinds = f"SELECT kind, count(*) FROM {dataset}.chat_walks GROUP BY kind"  # noqa: S608
        print("walks:", dict(landed.query(postgres, kinds)))


def _newest_before(sandbox: Sandbox, moment: datetime) -> str:
    text = moment.strftime("%Y-%m-%dT")
    listed = sandbox.world.relist()
    return next(str(c["id"]) for c in listed if c["timestamp"] and c["timestamp"] < text)


def _backfilled(airflow: Cluster) -> int:
    query = "SELECT state, count(*) FROM dag_run WHERE run_type = 'backfill' GROUP BY state"
    states: dict[str, int] = dict(airflow.sql(query))
    assert "failed" not in states, airflow.tries(BACKFILL)
    return int(states.get("success", 0))


@pytest.mark.skipif(which("redis-server") is None, reason="redis-server isn't installed")
def test_celery_worker_killed(
    sandbox: Sandbox, postgres: str, dataset: str, tmp_path: Path
) -> None:
    sandbox.latency = timedelta(seconds=0.7)
    env = _settings(sandbox, postgres, dataset, limit=25)  # some 28 pages of the largest account
    with redis() as broker:
        env |= {
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
        }
        with Cluster(tmp_path, postgres, DAGS, "CeleryExecutor", env) as airflow:
            workers = [
                airflow.start(
                    "celery", "worker", "--celery-hostname", f"w{number}@%h", "--skip-serve-logs",
                    AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=str(free_port()),
                )
                for number in (1, 2)
            ]  # fmt: skip
            started = time.monotonic()
            airflow.cli("dags", "unpause", "-y", INCREMENTAL)
            wait_for(
                lambda: _loading(airflow, workers[0]) and _reading(sandbox),
                "a task",
                seconds=240,
                pause=1,
            )
            killed = _loading(airflow, workers[0])
            print(f"\nkilled a worker that was loading {killed} of 4 shards")
            kill(workers[0])
            airflow.wait_for(INCREMENTAL, 1, 600)
            _say("a run on two Celery workers, one killed", started)
            print("tries:", [try_number for _, _, try_number in airflow.tries(INCREMENTAL)])
    assert landed.chats(postgres, dataset) == landed.expected(sandbox.world.relist())
    twice = f"SELECT count(*) - count(DISTINCT id) FROM {dataset}.chats"  # noqa: S608
    assert landed.query(postgres, twice) == [(0,)]


def _loading(airflow: Cluster, worker: psutil.Process) -> int:
    """How many tasks that load run on a worker."""
    running = airflow.sql(
        "SELECT pid FROM task_instance WHERE task_id = 'load' AND state = 'running'"
    )
    mine = {child.pid for child in worker.children(recursive=True)}
    return sum(pid in mine for (pid,) in running)


def _reading(sandbox: Sandbox) -> bool:
    return sum(request.status == 200 for request in list(sandbox.requests)) >= 12
