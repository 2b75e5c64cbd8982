"""`chats_history` in the life of a table: off and on, dropped, cut off, under clocks that jump."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import postpress_source
from postpress_source.sandbox import Sandbox, World, WorldOptions
from postpress_source.views import create_views
from tests.cut_off import lost_acknowledgements
from tests.proof.landed import is_equal, select
from tests.proof.listing import Row

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
CHATS = 30


@pytest.fixture
def world() -> World:
    world = World(WorldOptions())
    world.connect_account("LINKEDIN", id="a1", history=0)
    for number in range(CHATS):
        at = world.now - timedelta(minutes=number)
        world.new_chat("a1", id=f"c{number:02}", at=at, name="A", folder=["INBOX"])
    return world


@pytest.fixture
def pipeline(tmp_path: Path) -> dlt.Pipeline:
    return open_pipeline(tmp_path)


def open_pipeline(folder: Path, machine: str = "pipelines", name: str = "life") -> dlt.Pipeline:
    return dlt.pipeline(
        name,
        destination=dlt.destinations.duckdb(str(folder / "inbox.duckdb")),
        dataset_name="postpress",
        pipelines_dir=str(folder / machine),
    )


def source(sandbox: Sandbox, **arguments: Any) -> Any:
    """Whose walks are full, if nothing else is said."""
    arguments = {"full_walk_every": timedelta(0), "limit": 10, **arguments}
    return postpress_source("pp_live_of_the_tests", sandbox.url, **arguments)


@contextmanager
def clock(offset: timedelta) -> Iterator[None]:
    """While it is open, the source's clock is ahead, or behind, of the machine's."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz or UTC) + offset

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("postpress_source.sync.datetime", Shifted)
        patch.setattr("postpress_source.walks.reader.datetime", Shifted)
        yield


def history(pipeline: dlt.Pipeline, chat: str | None = None) -> list[Row]:
    """The versions of all chats, or of one, in order; never two of a chat at once."""
    rows = select(pipeline, "SELECT * FROM chats_history ORDER BY id, seen_from")
    for before, after in pairwise(rows):
        if before["id"] == after["id"]:
            assert before["seen_until"] is not None, f"two are current: {before['id']}"
            assert before["seen_from"] < before["seen_until"] <= after["seen_from"]
    return [row for row in rows if chat in (None, row["id"])]


def current(pipeline: dlt.Pipeline) -> dict[str, str]:
    return {row["id"]: row["version"] for row in history(pipeline) if not row["seen_until"]}


def is_right(pipeline: dlt.Pipeline, world: World) -> bool:
    """Whether `chats` is the list, and its versions are those that history has for current."""
    rows = select(pipeline, "SELECT id, version FROM chats")
    versions = {row["id"]: row["version"] for row in rows}
    return is_equal(pipeline, world) and current(pipeline) == versions


def changes(pipeline: dlt.Pipeline) -> list[Row]:
    create_views(pipeline)
    return select(pipeline, "SELECT * FROM chat_changes ORDER BY until, id, field")


def walks(pipeline: dlt.Pipeline) -> list[Row]:
    return select(pipeline, "SELECT * FROM chat_walks ORDER BY started_at")


def schema_versions(pipeline: dlt.Pipeline) -> int:
    (count,) = select(pipeline, "SELECT COUNT(*) AS n FROM _dlt_version")
    return int(count["n"])


# --- how long versions stay -----------------------------------------------------------------------


def test_only_versions_that_were_retired_long_ago_go_and_by_themselves(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    keep = {"history_keep": timedelta(days=2)}
    with clock(-5 * DAY):
        pipeline.run(source(sandbox, **keep))
    with clock(-4 * DAY):
        world.edit("c03", name="B")
        world.delete_chat("c04")
        pipeline.run(source(sandbox, **keep))
    with clock(-1 * DAY):
        world.edit("c03", name="C")
        pipeline.run(source(sandbox, **keep))  # deletes what had ended before three days ago
    assert [row["name"] for row in history(pipeline, "c03")] == ["B", "C"]
    assert history(pipeline, "c04") == []
    pipeline.run(source(sandbox, history_keep=timedelta(hours=1)))
    assert [row["name"] for row in history(pipeline, "c03")] == ["C"]
    assert len(history(pipeline)) == CHATS - 1, "a current version stays, however old"
    assert is_right(pipeline, world)


def test_what_is_kept_no_longer_does_not_come_back_as_a_change(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    with clock(-3 * DAY):
        pipeline.run(source(sandbox))
    with clock(-2 * DAY):
        world.edit("c03", name="B")
        pipeline.run(source(sandbox))
    for _ in range(2):
        pipeline.run(source(sandbox, history_keep=DAY))
    assert [row["name"] for row in history(pipeline, "c03")] == ["B"]
    assert changes(pipeline) == []


# --- on, off, and tables that were there before ---------------------------------------------------


def test_history_begins_over_tables_that_are_there(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox, history=False))
    world.edit("c03", name="B")
    for _ in range(2):
        pipeline.run(source(sandbox))
        assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS
    assert changes(pipeline) == [], "nobody has seen what was before"


def test_off_and_on_again_nothing_is_told_of_the_time_between(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    pipeline.run(source(sandbox))
    world.edit("c03", name="B")
    gone = world.chat("c04")
    world.delete_chat("c04")
    pipeline.run(source(sandbox, history=False))
    pipeline.run(source(sandbox, history=False, full_walk_every=DAY))
    pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS + 1
    last_before, end = walks(pipeline)[1]["started_at"], walks(pipeline)[-1]["finished_at"]
    (change,) = changes(pipeline)
    assert (change["id"], change["old"], change["new"]) == ("c03", "A", "B")
    assert (change["after"], change["until"]) == (last_before, end), "it was in between"
    (went,) = select(pipeline, "SELECT * FROM chats_gone")
    assert (went["id"], went["after"], went["until"]) == ("c04", last_before, end)
    world.add(gone, created=0)
    pipeline.run(source(sandbox))
    assert [row["seen_until"] is None for row in history(pipeline, "c04")] == [False, True]


def test_a_step_that_keeps_chats_out_is_no_look_at_them(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    world.edit("c03", name="B")
    few = source(sandbox)
    few.chats.add_filter(lambda table: "c03" not in table["id"].to_pylist())
    pipeline.run(few)
    pipeline.run(source(sandbox))
    (change,) = changes(pipeline)
    first, _, last = walks(pipeline)
    assert (change["after"], change["until"]) == (first["started_at"], last["finished_at"])


def test_a_run_with_a_limit_leaves_no_change_without_an_end(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    world.edit("c03", name="B")
    pipeline.run(source(sandbox).add_limit(1))  # it leaves no row in the ledger
    pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    (change,) = changes(pipeline)
    first, last = walks(pipeline)
    assert (change["after"], change["until"]) == (first["started_at"], last["finished_at"])


def test_a_field_that_is_new_is_a_version_of_the_chats_that_have_it(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    world.edit("c03", mood="blue")
    for _ in range(2):
        pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS + 1
    (change,) = changes(pipeline)
    assert (change["field"], change["old"], change["new"]) == ("extra", None, '{"mood":"blue"}')


def test_a_column_of_a_users_map_is_in_history_and_null_is_no_version(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    def add_team(table: Any) -> Any:
        teams = ["red" if chat == "c03" else None for chat in table["id"].to_pylist()]
        return table.append_column("team", [teams])

    pipeline.run(source(sandbox))
    for _ in range(2):
        mapped = source(sandbox)
        mapped.chats.add_map(add_team)
        pipeline.run(mapped)
    assert len(history(pipeline)) == CHATS + 1
    assert [row["team"] for row in history(pipeline, "c03")] == [None, "red"]
    pipeline.run(source(sandbox))
    assert [row["team"] for row in history(pipeline, "c03")] == [None, "red", None]
    assert changes(pipeline) == [], "no field of the API's has changed"


# --- state and tables that are lost ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["life", "another"])
def test_another_machine_or_pipeline_goes_on(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, tmp_path: Path, name: str
) -> None:
    pipeline.run(source(sandbox))
    world.edit("c03", name="B")
    pipeline.run(source(sandbox))
    pipeline = open_pipeline(tmp_path, "elsewhere", name)
    for _ in range(2):
        pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS + 1
    assert len(changes(pipeline)) == 1


def test_history_that_was_dropped_begins_anew(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    world.edit("c03", name="B")
    pipeline.run(source(sandbox))
    with pipeline.sql_client() as client:
        client.execute_sql("DROP TABLE chats_history")
    for _ in range(2):
        pipeline.run(source(sandbox))
        assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS
    assert changes(pipeline) == []


def test_chats_that_were_dropped_are_no_change(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    with pipeline.sql_client() as client:
        client.execute_sql("DROP TABLE chats")
    pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS


def test_a_row_that_was_edited_by_hand_is_healed_when_its_version_is_taken_away(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    with pipeline.sql_client() as client:
        client.execute_sql("UPDATE chats SET name = 'typed' WHERE id = 'c03'")
    pipeline.run(source(sandbox))
    assert not is_equal(pipeline, world), "its version says that it is what the API lists"
    with pipeline.sql_client() as client:
        client.execute_sql("UPDATE chats SET version = NULL")
    pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS, "the API has shown no change"


# --- what comes again -----------------------------------------------------------------------------


def test_what_was_and_is_again_and_who_was_gone_and_is_back_are_versions_of_their_own(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    back = world.chat("c04")
    for name, there in (("B", False), ("A", True), ("B", False), ("A", True)):
        world.edit("c03", name=name)
        world.add(back, created=0) if there else world.delete_chat("c04")
        pipeline.run(source(sandbox))
        assert is_right(pipeline, world)
    first, *later = history(pipeline, "c03")
    assert [row["name"] for row in (first, *later)] == ["A", "B", "A", "B", "A"]
    assert {row["version"] for row in later if row["name"] == "A"} == {first["version"]}
    lives = history(pipeline, "c04")
    assert len(lives) == 3
    assert len({row["version"] for row in lives}) == 1
    create_views(pipeline)
    assert len(select(pipeline, "SELECT * FROM chats_gone")) == 2


# --- clocks ---------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_leaves_the_versions_in_order_and_no_trace(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    world.edit("c03", name="B")
    with clock(3 * DAY):
        pipeline.run(source(sandbox))
    schemas = schema_versions(pipeline)
    for name in "CDE":
        world.edit("c03", name=name)
        pipeline.run(source(sandbox))
        pipeline.run(source(sandbox))  # without news it is a look all the same
    assert is_right(pipeline, world)
    starts = [walk["started_at"] for walk in walks(pipeline)]
    assert len({*starts}) == 8, "each run has an instant of its own"
    assert [row["seen_from"] for row in history(pipeline, "c03")] == [*starts[:3], *starts[4::2]]
    assert all(walk["started_at"] <= walk["finished_at"] for walk in walks(pipeline))
    for change in changes(pipeline):
        assert change["after"] < change["until"]
    with clock(4 * DAY):
        world.edit("c03", name="F")
        pipeline.run(source(sandbox))
    ((last,),) = [walks(pipeline)[-1:]]
    assert history(pipeline, "c03")[-1]["seen_from"] == last["started_at"]
    assert last["started_at"] > datetime.now(UTC) + 3.9 * DAY, "its own time again"
    assert schema_versions(pipeline) == schemas
    assert "x-boundary-timestamp" not in pipeline.default_schema.tables["chats_history"]


def test_a_package_that_is_loaded_late_tells_when_it_was_read(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    pipeline.run(source(sandbox))
    world.edit("c03", name="B")
    with clock(DAY):
        pipeline.extract(source(sandbox))
    pipeline.normalize()
    pipeline.load()
    assert history(pipeline, "c03")[-1]["seen_from"] == walks(pipeline)[-1]["started_at"]


# --- loads that are cut off -----------------------------------------------------------------------


@pytest.mark.parametrize("later", [False, True], ids=["first load", "later load"])
def test_the_run_after_a_lost_acknowledgement_parts_what_landed_twice(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, later: bool
) -> None:
    if later:
        pipeline.run(source(sandbox))
        world.edit("c03", name="B")
        world.delete_chat("c04")
    with lost_acknowledgements("chats_history") as lost:
        pipeline.run(source(sandbox))
    assert lost
    rows = select(pipeline, "SELECT id FROM chats_history WHERE seen_until IS NULL")
    assert len(rows) > len({row["id"] for row in rows}), "else there is nothing to mend"
    pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS + later


RUN = """
import sys
from tests import cut_off, test_history

cut_off.die_after_insert("chats_history")
url, folder = sys.argv[1:]
pipeline = test_history.open_pipeline(test_history.Path(folder))
pipeline.run(test_history.postpress_source("pp_live_x", url, full_walk_every=test_history.DAY * 0))
"""


@pytest.mark.parametrize("later", [False, True], ids=["first load", "later load"])
def test_a_process_that_dies_behind_the_insert_leaves_no_two_current_versions(
    world: World, sandbox: Sandbox, tmp_path: Path, later: bool
) -> None:
    if later:
        open_pipeline(tmp_path).run(source(sandbox))
        world.edit("c03", name="B")
    died = subprocess.run(
        [sys.executable, "-c", RUN, sandbox.url, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert died.returncode == 9
    pipeline = open_pipeline(tmp_path)
    pipeline.run()  # what the dead process left, and nothing else
    world.edit("c05", name="B")
    pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS + 1 + later


def test_two_that_were_read_before_either_had_landed_become_one_history(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    for name in ("A", "B", "A"):
        world.edit("c03", name=name)
        pipeline.extract(source(sandbox))
        pipeline.normalize()
    pipeline.load()
    pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert len(history(pipeline)) == CHATS + 2
    assert [row["name"] for row in history(pipeline, "c03")] == ["A", "B", "A"]


def test_two_pipelines_that_begin_at_once_become_one_history(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    other = open_pipeline(tmp_path, "elsewhere", "another")
    pipeline.extract(source(sandbox))
    pipeline.normalize()
    world.edit("c03", name="B")
    other.run(source(sandbox))
    pipeline.load()
    pipeline.run(source(sandbox))
    assert is_right(pipeline, world)
    assert [row["name"] for row in history(pipeline, "c03")] == ["A", "B"]
    assert len(history(pipeline)) == CHATS + 1


# --- history that begins over tables that are there -----------------------------------------------


@pytest.mark.parametrize("before", ["never", "off", "dropped"])
def test_history_that_begins_has_all_chats_at_once_and_none_that_is_gone(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, before: str
) -> None:
    head = {"full_walk_every": timedelta(days=1), "limit": 2}
    pipeline.run(source(sandbox, history=before == "dropped"))
    if before == "off":
        pipeline.run(source(sandbox, **head))
        pipeline.run(source(sandbox, history=False, **head))
    if before == "dropped":
        with pipeline.sql_client() as client:
            client.execute_sql("DROP TABLE chats_history")
    world.edit("c03", name="B")
    world.delete_chat("c04")
    pipeline.run(source(sandbox, **head))
    assert walks(pipeline)[-1]["kind"] == "full"
    assert is_right(pipeline, world)
    assert not [row for row in history(pipeline) if row["gone"]]
    world.receive_message("c05")
    pipeline.run(source(sandbox, **head))
    assert walks(pipeline)[-1]["kind"] == "head"
    assert is_right(pipeline, world)


def test_what_a_load_ended_that_was_given_up_is_not_gone(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    def scored(value: Any) -> Any:
        of_map = source(sandbox)
        of_map.chats.add_map(
            lambda chats: chats.append_column("score", pa.array([value] * chats.num_rows))
        )
        return of_map

    pipeline.run(scored(1))
    world.delete_chat("c04")
    with pytest.raises(PipelineStepFailed, match="Conversion Error"):
        pipeline.run(scored("not a number"))
    pipeline.abort_packages()
    for _ in range(2):
        pipeline.run(source(sandbox))
        rows = select(pipeline, "SELECT id, version FROM chats")
        assert current(pipeline) == {row["id"]: row["version"] for row in rows}
        assert current(pipeline).keys() == {chat["id"] for chat in world.relist()}
        create_views(pipeline)
        assert {row["id"] for row in select(pipeline, "SELECT id FROM chats_gone")} <= {"c04"}
