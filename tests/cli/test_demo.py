"""A demo's made-up chats are never among true ones, whichever way it is made."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postpress_source.cli.choice import Choice
from postpress_source.sandbox import Sandbox
from tests.cli.conftest import Desk

ROOT = Path(__file__).parents[2]
DEMO = "inbox_sandbox.duckdb"


def make_demo(desk: Desk) -> None:
    subprocess.run(
        [sys.executable, "-m", "pipelines.demo"],
        cwd=desk.folder,
        env=desk.environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )


def chats(desk: Desk, file: str) -> list[tuple[Any, ...]]:
    return desk.query("SELECT id FROM postpress.chats ORDER BY id", file)


@pytest.mark.slow
def test_demos_and_true_runs_in_turn(desk: Desk, inbox: Sandbox) -> None:
    true = sorted((chat,) for chat in inbox.world.chat_ids)
    make_demo(desk)
    assert len(chats(desk, DEMO)) == 2_000
    assert desk.run("run").code == 0
    assert chats(desk, "inbox.duckdb") == true, "made-up chats among the true ones"

    # a setting says where true chats go
    ended = desk.run("run", "--sandbox", DESTINATION__DUCKDB__CREDENTIALS="inbox.duckdb")
    assert ended.code == 0, ended.text
    assert len(chats(desk, DEMO)) == 500, "of another demo"
    make_demo(desk)
    assert len(chats(desk, DEMO)) == 2_000, "of another demo"
    assert chats(desk, "inbox.duckdb") == true
    assert {path.name for path in desk.folder.glob("*.duckdb")} == {"inbox.duckdb", DEMO}


@pytest.mark.slow
def test_files_of_a_setting_stay_true(desk: Desk) -> None:
    folder = {"DESTINATION__FILESYSTEM__BUCKET_URL": str(desk.folder / "true")}
    ended = desk.run("run", "--sandbox", "--destination", "filesystem", **folder)
    assert ended.code == 0, ended.text
    assert list((desk.folder / "inbox_parquet_sandbox").glob("postpress/chats/*.parquet"))
    assert not (desk.folder / "true").exists()


@pytest.mark.parametrize("destination", ["duckdb", "filesystem", "postgres", "sqlalchemy"])
def test_names_of_its_own(destination: str) -> None:
    true, demo = (Choice(destination, sandbox=sandbox) for sandbox in (False, True))
    assert true.pipeline_name != demo.pipeline_name
    # the two with files have files of their own
    assert (true.dataset_name == demo.dataset_name) == (destination in {"duckdb", "filesystem"})
