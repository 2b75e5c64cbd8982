"""The scripts that people copy, run as they are, and what they leave behind read back."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from postpress_source.sandbox import generate_world, serve

ROOT = Path(__file__).parent.parent


# Runs a script, and dies when the insert into `chats` has been committed.
DIE = """
import runpy, sys
from tests.cut_off import die_after_insert

die_after_insert("chats")
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def run(script: str, folder: Path, *options: str, url: str, dies: bool = False) -> str:
    settings = {"SOURCES__POSTPRESS__BASE_URL": url, "SOURCES__POSTPRESS__API_KEY": "pp_live_x"}
    ran = subprocess.run(
        [
            *(sys.executable, "-W", "ignore"),
            *(("-c", DIE) if dies else ()),
            *(str(ROOT / "pipelines" / script), *options),
        ],
        cwd=folder,
        env={"HOME": str(folder), "PYTHONPATH": str(ROOT), "DLT_DATA_DIR": str(folder / "dlt")}
        | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == (9 if dies else 0), ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_the_files_hold_every_chat_and_the_query_says_how_it_is_now(tmp_path: Path) -> None:
    with serve(generate_world(2_000, 4)) as sandbox:
        run("chats_to_parquet.py", tmp_path, url=sandbox.url)
        printed = run("chats_to_parquet.py", tmp_path, url=sandbox.url)
    assert printed.startswith("2,000 chats, ")
    files = str(tmp_path / "postpress_files" / "postpress" / "chats" / "*.parquet")
    with duckdb.connect() as connection:
        chats = connection.read_parquet(files)
        assert chats.aggregate("count(*), count(DISTINCT id)").fetchone() == (2_000, 2_000)
        folders = chats.filter("len(folder) > 0").aggregate("count(*)").fetchone()
    assert folders
    assert folders[0] > 0


@pytest.mark.slow
@pytest.mark.parametrize("table_format", ["delta", "iceberg"])
def test_a_table_format_is_one_option_away(tmp_path: Path, table_format: str) -> None:
    with serve(generate_world(200, 2)) as sandbox:
        run("chats_to_parquet.py", tmp_path, "--table-format", table_format, url=sandbox.url)
    metadata = {"delta": "_delta_log", "iceberg": "metadata"}[table_format]
    assert list((tmp_path / "postpress_files" / "postpress" / "chats" / metadata).iterdir())


@pytest.mark.slow
def test_one_run_ends_what_was_cut_off_and_brings_what_is_new(tmp_path: Path) -> None:
    world = generate_world(200, 2)
    with serve(world) as sandbox:
        run("chats_to_duckdb.py", tmp_path, url=sandbox.url, dies=True)
        world.new_chat(id="new")
        run("chats_to_duckdb.py", tmp_path, url=sandbox.url)
    with duckdb.connect(str(tmp_path / "inbox.duckdb"), read_only=True) as connection:
        chats = connection.sql("SELECT id FROM postpress.chats").fetchall()
    assert sorted(chats) == sorted((chat["id"],) for chat in world.relist())
    assert ("new",) in chats


@pytest.mark.slow
def test_a_file_is_named_and_accounts_are_chosen(tmp_path: Path) -> None:
    world = generate_world(200, 2)
    chosen, _ = world.accounts
    options = ("--full", "--file", "mine.duckdb", "--account", chosen)
    with serve(world) as sandbox:
        printed = run("chats_to_duckdb.py", tmp_path, *options, url=sandbox.url)
    assert printed.startswith(f"{chosen}: full walk, ")
    assert "The file: mine.duckdb, schema postpress." in printed
    with duckdb.connect(str(tmp_path / "mine.duckdb"), read_only=True) as connection:
        accounts = connection.sql("SELECT DISTINCT account_id FROM postpress.chats").fetchall()
    assert accounts == [(chosen,)]
