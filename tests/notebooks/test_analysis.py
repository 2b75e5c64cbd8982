"""What docs/analysis.md shows is what dlt, the views and the links give."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dlt
import duckdb
import pytest

from postpress_source import postpress_source
from postpress_source.sandbox import generate_world, serve
from postpress_source.views import HISTORY_VIEWS, VIEWS, create_views

PAGE: Final = Path(__file__).parents[2] / "docs" / "analysis.md"
TEXT: Final = PAGE.read_text("utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where a pipeline named postpress has run twice."""
    folder = tmp_path_factory.mktemp("analysis")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        pipeline = dlt.pipeline(
            "postpress",
            destination="duckdb",
            dataset_name="inbox",
            pipelines_dir=str(folder / "pipelines"),
        )
        world = generate_world(500, 4, now=datetime.now(UTC) - timedelta(days=1))
        with serve(world) as sandbox:
            pipeline.run(postpress_source(sandbox.key, sandbox.url))
            world.advance(timedelta(hours=12))
            pipeline.run(postpress_source(sandbox.key, sandbox.url))
        create_views(pipeline)
    return os.environ | {
        "DLT_DATA_DIR": str(folder),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command,
        env=environment,
        cwd=environment["DLT_DATA_DIR"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def masked(line: str) -> str:
    """A line with its numbers, which differ from run to run, made equal."""
    return re.sub(r"\d[\d.:T+-]*", "#", line.rstrip())


@pytest.mark.parametrize("block", blocks("console"))
def test_the_tools_say_what_the_page_shows(environment: dict[str, str], block: str) -> None:
    command, *shown = block.splitlines()
    said = {masked(line) for line in run(environment, *command[2:].split()).splitlines()}
    # dlt lists tables in an order of its own
    assert {masked(line) for line in shown} - {"..."} <= said


@pytest.mark.parametrize("block", blocks("sql"))
def test_its_sql_runs(environment: dict[str, str], block: str) -> None:
    with duckdb.connect(f"{environment['DLT_DATA_DIR']}/postpress.duckdb") as connection:
        connection.execute("USE inbox")
        frame = connection.execute(block).df()
    if "inbox_backlog" in block:
        assert len(frame) == 3
        assert frame["waiting_chats"].is_monotonic_decreasing
    else:
        assert frame.empty


def test_it_lists_every_view_and_its_links_lead_somewhere() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)
    views = (*VIEWS, *HISTORY_VIEWS)
    assert [name for name in rows if name in views] == list(views)
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    assert all((PAGE.parent / link.partition("#")[0]).exists() for link in links)
