"""A sandbox of five pages, and a pipeline into DuckDB that retries without waiting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common.pipeline import LoadInfo
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import PostpressError, postpress_source
from postpress_source.sandbox import Fault, Sandbox, generate_world, serve
from tests.faults.asking import VARIABLES, Authority

KEY = "pp_live_faults_0123456789"
CHATS, PAGES, LIMIT = 50, 5, 10
FIRST, MIDDLE, LAST = 1, 3, PAGES


@dataclass
class Inbox:
    """A pipeline that reads one server into one DuckDB file."""

    pipeline: dlt.Pipeline
    sandbox: Sandbox

    def run(self, **arguments: Any) -> LoadInfo:
        settings: dict[str, Any] = {"api_key": KEY, "base_url": self.sandbox.url, "limit": LIMIT}
        return self.pipeline.run(postpress_source(**(settings | arguments)))

    def fail(self, **arguments: Any) -> PostpressError:
        """The package's error that the run ends with."""
        with pytest.raises(PipelineStepFailed) as caught:
            self.run(**arguments)
        assert isinstance(caught.value.__context__, PostpressError)
        return caught.value.__context__

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.pipeline.sql_client() as client:
            return [tuple(row) for row in client.execute_sql(sql) or ()]

    def ids(self) -> list[str]:
        return [row[0] for row in self.query("SELECT id FROM chats ORDER BY id")]

    def ledger(self, columns: str) -> list[tuple[Any, ...]]:
        """Those columns of the last run's walks, by account."""
        last = "(SELECT max(_dlt_load_id) FROM chat_walks)"
        return self.query(
            f"SELECT {columns} FROM chat_walks WHERE _dlt_load_id = {last} ORDER BY account_id"  # noqa: S608
        )

    def everything(self) -> tuple[Any, ...]:
        """All that a failed run must not change: rows, ledger, state."""
        rows = [
            self.query(f"SELECT * FROM {table} ORDER BY ALL")  # noqa: S608
            for table in ("chats", "chats__folder", "chats__disabled_features", "chat_walks")
        ]
        return (*rows, self.pipeline.state["sources"])

    def listed(self) -> list[str]:
        """The ids that the API lists now."""
        return sorted(chat["id"] for chat in self.sandbox.world.relist())

    def break_pages(self, *pages: int, **fault: Any) -> None:
        for page in pages:
            self.sandbox.faults.add(Fault(page=page, **fault))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of proxies and certificates."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def server() -> Iterator[Sandbox]:
    with serve(generate_world(CHATS, 2)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.reset(generate_world(CHATS, 2))
    server.rate_limit, server.api_key = None, None
    return server


@pytest.fixture
def inbox(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    monkeypatch.setenv("RUNTIME__REQUEST_TIMEOUT", "30")
    pipeline = dlt.pipeline(
        "faults",
        pipelines_dir=str(tmp_path / "pipelines"),
        destination=dlt.destinations.duckdb(str(tmp_path / "warehouse.duckdb")),
        dataset_name="inbox",
    )
    yield Inbox(pipeline, sandbox)
    sync_calls = [request.path for request in sandbox.requests if "sync" in request.path]
    assert {request.method for request in sandbox.requests} <= {"GET"}
    assert not sync_calls
