"""The workflow that people copy: safe, bounded, and each new runner goes on with the last one's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dlt
import pytest
import yaml

from postpress_source.sandbox import generate_world, serve
from tests.destinations.targets import server
from tests.proof.landed import select

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "pipelines" / "github-actions" / "postpress.yml"
WORKFLOW: Final = yaml.safe_load(FILE.read_text("utf-8"))
STEPS: Final = WORKFLOW["jobs"]["load"]["steps"]
BIN: Final = Path(sys.executable).parent
POSTGRES: Final = os.environ.get("POSTPRESS_TEST_POSTGRES", "")


def test_zizmor_finds_nothing() -> None:
    options = "--quiet", "--offline", "--no-progress", "--persona", "pedantic"
    ran = subprocess.run(
        [BIN / "zizmor", *options, FILE], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_is_bounded_alone_and_gives_each_step_what_it_needs() -> None:
    assert WORKFLOW["permissions"] == {}
    assert WORKFLOW["concurrency"] == {"group": "postpress", "cancel-in-progress": False}
    assert WORKFLOW["jobs"]["load"]["timeout-minutes"] < 60
    install, load, status = STEPS
    assert "env" not in install
    assert "${{" not in "".join(step["run"] for step in STEPS)
    assert [name for name in load["env"] if "API_KEY" in name]
    assert not [name for name in status["env"] if "API_KEY" in name]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[dlt.Pipeline]:
    """A dataset that goes afterwards."""
    destination = dlt.destinations.postgres(
        server("POSTPRESS_TEST_POSTGRES", "postgresql-15 postgresql-client-15")
    )
    pipeline = dlt.pipeline(
        "look",
        destination=destination,
        dataset_name=f"actions_{os.getpid()}",
        pipelines_dir=str(tmp_path / "look"),
    )
    yield pipeline
    with pipeline.sql_client() as client:
        for suffix in ("", "_staging"):
            client.execute_sql(f"DROP SCHEMA IF EXISTS {pipeline.dataset_name}{suffix} CASCADE")


def hour(home: Path, url: str, dataset: str, full: str = "") -> None:
    """The steps end well on a runner that knows nothing but the secrets."""
    home.mkdir()
    told: dict[str, Any] = {
        "inputs.full && 'yes' || ''": full,
        "secrets.POSTPRESS_API_KEY": "pp_live_x",
        "secrets.WAREHOUSE": POSTGRES,
    }
    for step in STEPS[1:]:
        settings = {
            name: re.sub(r"\$\{\{ (.*) \}\}", lambda found: told[found[1]], value)
            for name, value in step["env"].items()
        }
        command = step["run"].replace("--destination", f"--dataset {dataset} --destination")
        ran = subprocess.run(
            ["bash", "-ec", command],
            cwd=home,
            env={
                "HOME": str(home),
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "SOURCES__POSTPRESS__BASE_URL": url,
                "RUNTIME__DLTHUB_TELEMETRY": "false",
            }
            | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.server
def test_each_run_goes_on_where_the_last_runner_stopped(
    tmp_path: Path, warehouse: dlt.Pipeline
) -> None:
    with serve(generate_world(120, 2), api_key="pp_live_x") as sandbox:
        for number, full in enumerate(("", "", "yes")):
            hour(tmp_path / str(number), sandbox.url, warehouse.dataset_name, full)
    walks = select(warehouse, "SELECT kind FROM chat_walks ORDER BY started_at")
    assert [walk["kind"] for walk in walks] == ["full", "head", "full"]
