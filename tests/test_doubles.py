"""A load that is cut off between an insert's commit and dlt's note of it, and is then run again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import postpress_source
from postpress_source.landing import repair
from postpress_source.sandbox import Sandbox, World, WorldOptions, generate_world, serve
from tests.cut_off import lost_acknowledgements
from tests.proof.landed import as_landed, landed_chats, select
from tests.proof.listing import Row, expected_row

pytestmark = pytest.mark.slow

KEYS = {"chats": "id", "chats__folder": "_dlt_id", "chats__disabled_features": "_dlt_id"}

# A run, and what is to happen to it: a function of tests/cut_off.py and its arguments.
RUN = """
import sys
import dlt
from postpress_source import postpress_source
from tests import cut_off

url, folder, *happening = sys.argv[1:]
if happening:
    getattr(cut_off, happening[0])(*happening[1:])
pipeline = dlt.pipeline(
    "doubles",
    destination=dlt.destinations.duckdb(f"{folder}/inbox.duckdb"),
    dataset_name="postpress",
    pipelines_dir=f"{folder}/pipelines",
)
pipeline.run(postpress_source(api_key="pp_live_of_the_tests", base_url=url, limit=250))
"""


@pytest.fixture
def world() -> World:
    world = World(WorldOptions())
    for account in ("a1", "a2"):
        world.connect_account("LINKEDIN", id=account, history=0)
    for number in range(60):
        at = world.now - timedelta(hours=number)
        account = f"a{number % 2 + 1}"
        lists: dict[str, Any] = {"folder": ["one", "two"], "disabledFeatures": ["reply"]}
        world.new_chat(account, id=f"c{number}", at=at, **lists)
    return world


def open_pipeline(folder: Path, name: str = "doubles", destination: Any = None) -> dlt.Pipeline:
    return dlt.pipeline(
        name,
        destination=destination or dlt.destinations.duckdb(str(folder / "inbox.duckdb")),
        dataset_name="postpress",
        pipelines_dir=str(folder / "pipelines"),
    )


def source(sandbox: Sandbox, limit: int = 10, **arguments: Any) -> Any:
    return postpress_source("pp_live_of_the_tests", sandbox.url, limit=limit, **arguments)


def start_run(
    sandbox: Sandbox, folder: Path, *happening: str, **options: Any
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, sandbox.url, str(folder), *happening],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        **options,
    )


def die_loading(table: str, sandbox: Sandbox, folder: Path) -> None:
    assert start_run(sandbox, folder, "die_after_insert", table).wait() == 9


def kill_in_load(run: subprocess.Popen[bytes], folder: Path, delay: float) -> None:
    """Kill a run some time after its load has begun to insert."""
    packages = folder / "pipelines" / "doubles" / "load" / "normalized"
    while run.poll() is None and not list(packages.glob("*/started_jobs/*")):
        time.sleep(0.002)
    time.sleep(delay)
    run.kill()
    run.wait()


def doubled(pipeline: dlt.Pipeline) -> bool:
    """Whether any table has a row twice."""
    return any(
        len(rows) != len({row[key] for row in rows})
        for table, key in KEYS.items()
        for rows in [select(pipeline, f"SELECT {key} FROM {table}")]  # noqa: S608
    )


def is_equal(pipeline: dlt.Pipeline, world: World) -> bool:
    listed = {chat["id"]: as_landed(expected_row(chat)) for chat in world.relist()}
    return not doubled(pipeline) and landed_chats(pipeline) == listed


def last_walk(pipeline: dlt.Pipeline) -> Row:
    return select(pipeline, "SELECT * FROM chat_walks ORDER BY started_at")[-1]


def bring_new_chats(world: World) -> None:
    for _ in range(20):
        world.new_chat("a1", at=world.now, folder=["new", "newer"], disabledFeatures=["reply"])


@pytest.mark.parametrize(
    ("table", "later"),
    [("chats", False), ("chats__folder", True)],
    ids=["first load", "later load"],
)
def test_the_run_after_a_process_died_replaces_what_landed_twice(
    world: World, sandbox: Sandbox, tmp_path: Path, table: str, later: bool
) -> None:
    if later:
        open_pipeline(tmp_path).run(source(sandbox))
        bring_new_chats(world)
    die_loading(table, sandbox, tmp_path)
    pipeline = open_pipeline(tmp_path)
    pipeline.run()  # what the dead process left, and nothing else
    assert doubled(pipeline), "else there is nothing to mend"
    pipeline = open_pipeline(tmp_path)
    pipeline.run(source(sandbox))
    assert last_walk(pipeline)["reason"] == "rows landed twice: a load was cut off"
    assert is_equal(pipeline, world)
    world.receive_message("c30")
    for _ in range(2):
        pipeline.run(source(sandbox))
        assert last_walk(pipeline)["kind"] == "head"
        assert is_equal(pipeline, world)


@pytest.mark.parametrize("seed", range(int(os.environ.get("KILLS", "2"))))
def test_a_load_that_is_killed_anywhere(tmp_path: Path, seed: int) -> None:
    """`KILLS=20 pytest -m slow -s` says how many of so many doubled rows."""
    random = Random(seed)
    world = generate_world(20_000, 3)
    with serve(world) as sandbox:
        if seed % 2:
            open_pipeline(tmp_path).run(source(sandbox, limit=250))
            for _ in range(2_000):
                world.new_chat(at=world.now, folder=["new", "newer"], disabledFeatures=["reply"])
        kill_in_load(start_run(sandbox, tmp_path), tmp_path, random.uniform(0, 0.3))
        pipeline = open_pipeline(tmp_path)
        if pipeline.has_pending_data:
            pipeline.run()
            print("doubled" if doubled(pipeline) else "as it was")
        open_pipeline(tmp_path).run(source(sandbox, limit=250))
    assert is_equal(pipeline, world)


def load_twice(sandbox: Sandbox, folder: Path, table: str = "chats") -> dlt.Pipeline:
    """A pipeline whose first run loaded a table's rows twice, and ended well."""
    pipeline = open_pipeline(folder)
    with lost_acknowledgements(table):
        pipeline.run(source(sandbox))
    assert doubled(pipeline)
    return pipeline


def test_the_run_after_a_lost_acknowledgement_replaces_what_landed_twice(
    world: World, sandbox: Sandbox, tmp_path: Path
) -> None:
    pipeline = load_twice(sandbox, tmp_path)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_a_load_that_failed_and_was_called_again_in_the_same_process(
    world: World, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    pipeline = open_pipeline(tmp_path)
    pipeline.extract(source(sandbox))
    pipeline.normalize()
    with lost_acknowledgements("chats"), pytest.raises(PipelineStepFailed):
        pipeline.load()
    pipeline.load()
    assert doubled(pipeline)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_a_backfill_leaves_it_to_the_next_run(
    world: World, sandbox: Sandbox, tmp_path: Path
) -> None:
    pipeline = load_twice(sandbox, tmp_path, "chats__folder")
    backfill = source(sandbox)
    start = world.now - timedelta(hours=50)
    end = world.now - timedelta(hours=40)
    backfill.chats.apply_hints(
        incremental=dlt.sources.incremental("timestamp", initial_value=start, end_value=end)
    )
    pipeline.run(backfill)
    assert doubled(pipeline)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_versions_that_the_user_has_appended_are_no_doubles(
    world: World, sandbox: Sandbox, tmp_path: Path
) -> None:
    pipeline = open_pipeline(tmp_path)
    for _ in range(3):
        world.receive_message("c30")
        pipeline.extract(source(sandbox), write_disposition="append")
        pipeline.normalize()
        pipeline.load()
    assert doubled(pipeline)
    assert last_walk(pipeline)["kind"] == "head"


def test_of_doubles_only_the_last_load_is_asked_and_once_all_that_was_appended(
    world: World, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    count = repair._doubles

    def count_and_note(client: Any, shape: Any, loads: Any, everything: bool, no: bool) -> Any:
        asked.append(everything)
        return count(client, shape, loads, everything, no)

    monkeypatch.setattr(repair, "_doubles", count_and_note)
    pipeline = open_pipeline(tmp_path)
    for _ in range(4):
        pipeline.run(source(sandbox))
        bring_new_chats(world)
    assert asked == [True, False, False]
    open_pipeline(tmp_path, "another").run(source(sandbox))
    assert asked[3:] == [True], "nobody knows who else has written"


def test_a_destination_that_cannot_be_asked_is_asked_by_the_next_run(
    world: World, sandbox: Sandbox, tmp_path: Path
) -> None:
    pipeline = load_twice(sandbox, tmp_path)
    database, aside = tmp_path / "inbox.duckdb", tmp_path / "aside"
    database.rename(aside)
    database.mkdir()
    bring_new_chats(world)
    pipeline.extract(source(sandbox))
    pipeline.normalize()
    database.rmdir()
    aside.rename(database)
    pipeline.load()
    assert doubled(pipeline)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_a_driver_that_raises_its_own_error_ends_no_extract(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """dlt wraps DuckDB's, and by far not all others."""
    nowhere = dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}")
    pipeline = open_pipeline(tmp_path, destination=nowhere)
    for _ in range(2):
        pipeline.extract(source(sandbox))
    assert len(pipeline.list_extracted_load_packages()) == 2


def test_ctrl_c_while_the_destination_is_asked_ends_the_run(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    with start_run(sandbox, tmp_path, "press_ctrl_c_while_asked", stderr=subprocess.PIPE) as run:
        try:
            _, said = run.communicate(timeout=120)
        finally:
            run.kill()
    assert run.returncode != 0
    assert b"Query interrupted" in said
    assert not sandbox.requests


@pytest.mark.parametrize("name", ["doubles", "another"])
def test_a_pipeline_without_a_state_looks_as_well(
    world: World, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The load that doubled rows was given up, and its state with it; or another takes over."""
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    pipeline = open_pipeline(tmp_path)
    for data in (source(sandbox), None):
        with lost_acknowledgements("chats"), pytest.raises(PipelineStepFailed):
            pipeline.run(data)
    pipeline.abort_packages()
    assert doubled(pipeline)
    pipeline = open_pipeline(tmp_path, name)
    for _ in range(2):
        pipeline.run(source(sandbox))
        assert is_equal(pipeline, world)


def test_two_pipelines_that_fill_new_tables_at_once(
    world: World, sandbox: Sandbox, tmp_path: Path
) -> None:
    destination = dlt.destinations.duckdb(str(tmp_path / "inbox.duckdb"))
    first, second = (open_pipeline(tmp_path, name, destination) for name in ("first", "second"))
    first.extract(source(sandbox))
    first.normalize()
    second.run(source(sandbox))
    first.load()
    assert doubled(first)
    first.run(source(sandbox))
    assert is_equal(first, world)


def test_what_is_not_listed_any_more_calls_for_few_walks(
    world: World, sandbox: Sandbox, tmp_path: Path
) -> None:
    pipeline = load_twice(sandbox, tmp_path)
    world.disconnect_account("a2", None)
    kinds = []
    for _ in range(5):
        pipeline.run(source(sandbox))
        kinds.append(last_walk(pipeline)["kind"])
    assert kinds == ["full", "full", "head", "head", "head"]
    assert doubled(pipeline)
    world.connect_account("LINKEDIN", id="a2", history=0)
    for _ in range(2):
        pipeline.run(source(sandbox, full_walk_every=timedelta(0)))
        assert is_equal(pipeline, world)
