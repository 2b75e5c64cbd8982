"""The Dagster example: its definitions are valid, and a run of its job lands the inbox."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from postpress_source.sandbox import generate_world, serve

ROOT: Final = Path(__file__).parents[2]
DEFINITIONS: Final = ROOT / "pipelines" / "dagster" / "definitions.py"

RUN = """
import json, runpy, sys
from dagster import AssetKey, DagsterInstance

defs = runpy.run_path(sys.argv[1])["defs"]
job = defs.resolve_job_def("postpress_inbox")
runs = []
with DagsterInstance.ephemeral() as instance:
    for _ in range(2):
        run = job.execute_in_process(instance=instance)
        (loaded,) = run.asset_materializations_for_node("inbox")
        (checked,) = run.get_asset_check_evaluations()
        assert loaded.asset_key == AssetKey(["postpress", "chats"])
        rows = loaded.metadata.get("rows_loaded")
        runs.append([rows and rows.value, checked.passed])
print(json.dumps(runs))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine that knows the destination, and no key."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "DAGSTER_HOME": "",
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__REQUEST_BACKOFF_FACTOR": "0.01",
        "POSTPRESS_DESTINATION": "duckdb",
        "DESTINATION__DUCKDB__CREDENTIALS": str(tmp_path / "inbox.duckdb"),
    }


def run(environment: dict[str, str], *command: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        cwd=environment["HOME"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_its_definitions_are_valid_without_a_key(environment: dict[str, str]) -> None:
    command = "definitions", "validate", "-f", str(DEFINITIONS)
    run(environment, "-m", "dagster", *command)


def test_its_job_loads_and_says_who_was_skipped(environment: dict[str, str]) -> None:
    world = generate_world(200, 2)
    well, sick = world.accounts
    chats = sum(chat["account_id"] == well for chat in world.relist())
    world.disconnect_account(sick, "errors/disconnected_account")
    with serve(world) as sandbox:
        environment |= {
            "SOURCES__POSTPRESS__API_KEY": sandbox.key,
            "SOURCES__POSTPRESS__BASE_URL": sandbox.url,
            "SOURCES__POSTPRESS__ACCOUNT_ID": f"{well},{sick}",
        }
        said = run(environment, "-c", RUN, str(DEFINITIONS))
    # the second time nothing is new, so nothing is loaded again
    assert said.splitlines()[-1] == f"[[{chats}, false], [null, false]]"
