"""A whole Airflow on loopback: metadata in PostgreSQL, its parts as processes of ours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Self
from uuid import uuid4

import psutil  # type: ignore[import-untyped]

from tests.airflow import landed
from tests.waiting import wait_for

AIRFLOW = Path(sys.executable).with_name("airflow")


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Cluster:
    """Airflow's api-server, scheduler and DAG processor, and what is started besides.

    Args:
        home: Where its logs go.
        server: A PostgreSQL on which it makes a database for its metadata.
        dags: The folder of DAGs.
        executor: Airflow's name of it.
        env: More environment variables.
    """

    def __init__(
        self, home: Path, server: str, dags: Path, executor: str, env: dict[str, str]
    ) -> None:
        self._home = home
        self._stack = ExitStack()
        name = f"airflow_{uuid4().hex[:12]}"
        _create_database(server, name)
        self.metadata = server.rpartition("/")[0] + f"/{name}"
        self.port = free_port()
        origin = f"http://127.0.0.1:{self.port}"
        self._env = os.environ | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__EXECUTOR": executor,
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{origin}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__BASE_URL": origin,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": uuid4().hex * 2,
            "AIRFLOW__API__SECRET_KEY": uuid4().hex,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.metadata,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
            "AIRFLOW__WORKERS__SECRETS_BACKEND": "",
            "AIRFLOW__SECRETS__BACKEND": "",
            "no_proxy": "127.0.0.1",
            **env,
        }

    def __enter__(self) -> Self:
        self.cli("db", "migrate")
        for part in ("api-server", "scheduler", "dag-processor"):
            self.start(part)
        wait_for(self._answers, "the api-server answers", pause=1)
        wait_for(lambda: self.sql("SELECT dag_id FROM dag"), "the DAGs are parsed", pause=1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def start(self, *part: str, **env: str) -> psutil.Process:
        """Start a part of Airflow; it ends with the cluster, its children too."""
        log = self._home / f"{'-'.join(part[:2]).replace('/', '')}-{uuid4().hex[:4]}.log"
        with log.open("wb") as output:
            process = psutil.Popen(
                [AIRFLOW, *part], env=self._env | env, stdout=output, stderr=subprocess.STDOUT
            )
        self._stack.callback(kill, process)
        return process

    def cli(self, *command: str) -> str:
        """Run a command of Airflow's; returns what it printed."""
        done = subprocess.run(
            [AIRFLOW, *command], env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sql(self, query: str) -> landed.Rows:
        """Ask the metadata."""
        return landed.query(self.metadata, query)

    def states(self, dag: str) -> dict[str, int]:
        """How many runs of a DAG are in which state."""
        query = f"SELECT state, count(*) FROM dag_run WHERE dag_id = '{dag}' GROUP BY 1"  # noqa: S608
        return dict(self.sql(query))

    def tries(self, dag: str) -> list[tuple[int, str, int]]:
        """Map index, state and try number of the tasks that load, of all runs."""
        return self.sql(
            "SELECT map_index, state, try_number FROM task_instance "  # noqa: S608
            f"WHERE dag_id = '{dag}' AND task_id = 'load' ORDER BY run_id, map_index"
        )

    def wait_for(self, dag: str, runs: int, seconds: float) -> None:
        """Wait until so many runs are done, and demand that all of them went well."""
        wait_for(
            lambda: sum(self.states(dag).get(s, 0) for s in ("success", "failed")) >= runs,
            f"{runs} runs of {dag}",
            seconds=seconds,
            pause=1,
        )
        assert self.states(dag) == {"success": runs}, self.tries(dag)

    def _answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.port}/api/v2/version", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def kill(process: psutil.Process) -> None:
    """End a process and all that it started, at once."""
    try:
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=10)


@contextmanager
def redis() -> Iterator[str]:
    """A Redis in memory; yields its URL."""
    port = free_port()
    server = psutil.Popen(
        [which("redis-server") or "redis-server", "--bind", "127.0.0.1", "--port", str(port),
         "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        kill(server)


def _create_database(server: str, name: str) -> None:
    import psycopg2

    connection = psycopg2.connect(server)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()
