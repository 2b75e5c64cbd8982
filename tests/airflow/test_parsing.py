from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "pipelines" / "airflow"

# Parses as the DAG processor does, after Airflow is there, and tells what parsing touched.
PARSE = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
import airflow.sdk, airflow.sdk.execution_time.context as context
touched = []
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.sendto")
sys.addaudithook(lambda event, args: touched.append(event) if event in NETWORK else None)
for name in ("_get_connection", "_get_variable"):
    setattr(context, name, lambda *a, **k: touched.append("look-up"))
started = time.perf_counter()
bag = DagBag(dag_folder=sys.argv[1])
seconds = time.perf_counter() - started
heavy = [m for m in ("dlt", "postpress_source", "postpress_shards", "pyarrow") if m in sys.modules]
print(json.dumps({"seconds": seconds, "touched": touched, "heavy": heavy,
                  "errors": bag.import_errors, "dags": sorted(bag.dags)}))
"""


@pytest.mark.usefixtures("airflow_home")
def test_parsing_is_quick_and_asks_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(DAGS)],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": ""},
    )  # fmt: skip
    parsed = json.loads(done.stdout.splitlines()[-1])
    assert parsed["errors"] == {}
    assert parsed["dags"] == ["postpress_backfill", "postpress_incremental"]
    assert parsed["touched"] == []
    assert parsed["heavy"] == []
    assert parsed["seconds"] < 1


def _dag(name: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS)).dags[name]


@pytest.mark.usefixtures("airflow_home")
@pytest.mark.parametrize("name", ["postpress_incremental", "postpress_backfill"])
def test_dags_are_fit_to_be_forgotten(name: str) -> None:
    dag = _dag(name)
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert "postpress" in dag.tags
    assert "variable `postpress`" in dag.doc_md
    for task in dag.tasks:
        assert task.retries >= 3
    assert dag.get_task("load").partial_kwargs["execution_timeout"] > timedelta(minutes=10)
    assert [asset.name for asset in dag.get_task("sum_up").outlets] == ["postpress_chats"]


@pytest.mark.usefixtures("airflow_home")
def test_backfill_has_intervals_that_are_not_empty() -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DagSerialization.deserialize_dag(
        DagSerialization.serialize_dag(_dag("postpress_backfill"))
    )
    interval = dag.timetable.infer_manual_data_interval(
        run_after=datetime(2026, 5, 17, 9, tzinfo=UTC)
    )
    assert interval.start < interval.end


def test_no_file_of_the_package_knows_airflow() -> None:
    package = DAGS.parents[1] / "postpress_source"
    shards = DAGS / "postpress_shards.py"
    for path in [shards, *package.rglob("*.py")]:
        assert "import airflow" not in path.read_text()
        assert "from airflow" not in path.read_text()
