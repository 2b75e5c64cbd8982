"""Runs that are cut off: while the destination is asked, or between an insert's commit and dlt's
note of it, which makes dlt run it again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pytest
from dlt.common.destination.client import RunnableLoadJob
from dlt.destinations.exceptions import DestinationConnectionError
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.job_client_impl import SqlJobClientBase

# Seconds of work, on one core.
BUSY = "SELECT sum(a.range * b.range) FROM range(1_000_000) a, range(2_000) b"


def die_after_insert(table: str) -> None:
    """Let this process die, with status 9, when rows of a table have been committed to DuckDB."""
    run = DuckDbCopyJob.run

    def run_and_die(job: DuckDbCopyJob) -> None:
        run(job)
        if job._parsed_file_name.table_name == table:
            os._exit(9)

    DuckDbCopyJob.run = run_and_die  # type: ignore[assignment, method-assign]


def press_ctrl_c_while_asked() -> None:
    """Let this process get a SIGINT as soon as DuckDB is busy with what it is asked first."""

    def press(connection: duckdb.DuckDBPyConnection) -> None:
        while connection.query_progress() < 0:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    def ask(*_: Any) -> None:
        # with more threads, those that didn't get the signal go on to their end
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("SET enable_progress_bar = true")
            connection.execute("SET enable_progress_bar_print = false; SET progress_bar_time = 0")
            threading.Thread(target=press, args=[connection]).start()
            connection.execute(BUSY)

    SqlJobClientBase.get_storage_tables = ask  # type: ignore[assignment, method-assign]


@contextmanager
def lost_acknowledgements(table: str) -> Iterator[set[str]]:
    """Each job of a table is committed, and its connection breaks before that is known, once.

    Yields:
        The ids of the jobs that it happened to.
    """
    lost: set[str] = set()
    run_managed = RunnableLoadJob.run_managed

    def run_managed_and_lose(job: RunnableLoadJob, *arguments: Any) -> None:
        run, job_id = job.run, job.job_id()

        def run_and_lose() -> None:
            run()
            if job_id not in lost and job._parsed_file_name.table_name == table:
                lost.add(job_id)
                raise DestinationConnectionError("any", "any", "broken pipe", OSError())

        job.run = run_and_lose  # type: ignore[method-assign]
        run_managed(job, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunnableLoadJob, "run_managed", run_managed_and_lose)
        yield lost
