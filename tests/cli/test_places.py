"""A command is about the file that it names from the current folder, wherever others were."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postpress_source.sandbox import Sandbox
from tests.cli.conftest import Desk, assert_plain

ROOT = Path(__file__).parents[2]


def ids(desk: Desk, file: str = "inbox.duckdb") -> list[str]:
    return [row[0] for row in desk.query("SELECT id FROM postpress.chats ORDER BY id", file)]


def told(desk: Desk, *arguments: str, **env: str) -> dict[str, Any]:
    ended = desk.run(*arguments, "--json", **env)
    assert ended.code == 0, ended.text
    document: dict[str, Any] = json.loads(ended.out)
    return document


@pytest.fixture
def two(desk: Desk, inbox: Sandbox) -> tuple[Desk, Desk]:
    """Two folders of one user, who has one home directory."""
    desks = [Desk(desk.folder / name, desk.environment) for name in ("one", "two")]
    for each in desks:
        each.folder.mkdir()
    return desks[0], desks[1]


@pytest.mark.slow
def test_each_folder_has_a_file_of_its_own(two: tuple[Desk, Desk], inbox: Sandbox) -> None:
    one, other = two
    told(one, "run")
    before = ids(one)
    inbox.world.new_chat(id="new")
    assert told(other, "run")["walks"][0]["kind"] == "full"
    assert ids(one) == before, "the run wrote to the folder of the first one"
    assert ids(other) == sorted(inbox.world.chat_ids)

    shutil.rmtree(one.folder)
    assert told(other, "run")["walks"][0]["kind"] == "head"
    moved = Desk(other.folder.with_name("moved"), other.environment)
    shutil.move(other.folder, moved.folder)
    assert told(moved, "plan")["walks"][0]["kind"] == "head", "what was read is forgotten"
    assert told(moved, "status")["rows"]["chats"] == len(inbox.world.chat_ids)


# Runs the command, and dies when the insert into `chats` has been committed.
DIE = """
from postpress_source.cli import main
from tests.cut_off import die_after_insert

die_after_insert("chats")
main()
"""


@pytest.mark.slow
def test_what_an_interrupted_run_has_left_goes_to_no_other_file(desk: Desk, inbox: Sandbox) -> None:
    cut_off = subprocess.run(
        [sys.executable, "-c", DIE, "run"],
        cwd=desk.folder,
        env=desk.environment
        | {"PYTHONPATH": str(ROOT), "DESTINATION__DUCKDB__CREDENTIALS": "a.duckdb"},
        capture_output=True,
        check=False,
    )
    assert cut_off.returncode == 9, cut_off.stderr
    other = told(desk, "run", DESTINATION__DUCKDB__CREDENTIALS="b.duckdb")
    assert len(other["loads"]) == 1

    deeper = Desk(desk.folder / "deeper", desk.environment)
    deeper.folder.mkdir()
    same = told(deeper, "run", DESTINATION__DUCKDB__CREDENTIALS="../a.duckdb")
    assert len(same["loads"]) == 2, "what was left comes first"
    assert ids(desk, "a.duckdb") == ids(desk, "b.duckdb") == sorted(inbox.world.chat_ids)
    assert not list(deeper.folder.iterdir())


def test_a_folder_that_is_not_there_is_named(desk: Desk, inbox: Sandbox) -> None:
    ended = desk.run("run", DESTINATION__DUCKDB__CREDENTIALS="gone/a.duckdb")
    assert ended.code == 1
    assert f"There is no folder {desk.folder / 'gone'}" in " ".join(ended.err.split())
    assert inbox.request_count == 0
    assert_plain(ended.text)


@pytest.mark.parametrize("command", ["run", "check"])
def test_the_current_folder_is_gone(desk: Desk, inbox: Sandbox, command: str) -> None:
    folder = desk.folder / "gone"
    folder.mkdir()
    ended = Desk(folder, desk.environment).run(command, **remove_at_start(desk.folder, folder))
    assert ended.code == 1
    assert "This folder is gone." in ended.err
    assert inbox.request_count == 0


def remove_at_start(site: Path, folder: Path) -> dict[str, str]:
    """The environment of a Python that removes a folder before it does anything else."""
    (site / "sitecustomize.py").write_text(f"import os; os.rmdir({os.fspath(folder)!r})\n")
    return {"PYTHONPATH": os.fspath(site)}
