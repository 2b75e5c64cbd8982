"""An Airflow of its own for these tests: a temporary home, SQLite, and our folder of DAGs.

Run them by `make test-airflow`, in the environment that has Airflow; elsewhere they aren't
collected.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "pipelines" / "airflow"
POSTGRES = os.environ.get("POSTPRESS_TEST_POSTGRES", "")
HOME = Path(tempfile.gettempdir(), f"airflow-{os.getpid()}")

if find_spec("airflow") is None:
    collect_ignore_glob = ["test_*.py"]
else:  # before anything imports Airflow, which reads it then
    os.environ |= {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__SECRETS__BACKEND": "tests.airflow.lookups.Lookups",
        "LOOKUPS": str(HOME / "lookups"),
        "PYTHONPATH": str(DAGS.parents[1]),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__REQUEST_BACKOFF_FACTOR": "0.01",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
    }
    sys.path.insert(0, str(DAGS))  # as Airflow does


@pytest.fixture(scope="session")
def airflow_home() -> Iterator[Path]:
    """A home with a database, made once."""
    from airflow.utils.db import initdb

    HOME.mkdir(exist_ok=True)
    initdb()
    yield HOME
    rmtree(HOME, ignore_errors=True)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what the DAGs read: `configure(url, key, warehouse=None, **variable)`."""

    def set_all(url: str, key: str, warehouse: str | None = None, **variable: Any) -> None:
        api = {"conn_type": "http", "password": key, "host": url}
        monkeypatch.setenv("AIRFLOW_CONN_POSTPRESS", json.dumps(api))
        monkeypatch.setenv("AIRFLOW_VAR_POSTPRESS", json.dumps(variable))
        if warehouse:
            monkeypatch.setenv("AIRFLOW_CONN_POSTPRESS_WAREHOUSE", warehouse)

    return set_all


@pytest.fixture
def postgres() -> str:
    """A PostgreSQL of `.ci/servers`."""
    if not POSTGRES:
        pytest.skip("POSTPRESS_TEST_POSTGRES isn't set")
    return POSTGRES


@pytest.fixture
def lookups() -> Callable[[], list[str]]:
    """Tells what Airflow's secrets backends were asked for since the test began."""
    path = Path(os.environ["LOOKUPS"])
    path.write_text("")
    return lambda: path.read_text().splitlines()
