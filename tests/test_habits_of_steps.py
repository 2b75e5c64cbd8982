"""Steps on the resource: maps, filters, transformers. They meet tables of chats, and only these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import PostpressArgumentError, by_row, postpress_source
from postpress_source.sandbox import Sandbox, World
from tests.proof.landed import is_equal, select
from tests.proof.test_pipeline import cause_of

pytestmark = pytest.mark.slow

FULL = timedelta(0)


def source(sandbox: Sandbox, **arguments: Any) -> Any:
    return postpress_source("pp_live_of_the_tests", sandbox.url, limit=20, **arguments)


def one(pipeline: dlt.Pipeline, query: str) -> Any:
    ((row),) = select(pipeline, query)
    (value,) = row.values()
    return value


def current(pipeline: dlt.Pipeline) -> int:
    return int(one(pipeline, "SELECT COUNT(*) FROM chats_history WHERE seen_until IS NULL"))


def mask(table: pa.Table) -> pa.Table:
    return table.set_column(table.column_names.index("name"), "name", [["x"] * table.num_rows])


def mask_row(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"name": "x"}


def halves(table: pa.Table) -> Iterator[pa.Table]:
    yield table.slice(0, 7)
    yield table.slice(7)


STEPS: dict[str, Callable[[Any], Any]] = {
    "a table": lambda chats: chats.add_map(mask),
    "pandas": lambda chats: chats.add_map(lambda table: mask(table).to_pandas()),
    "rows": lambda chats: chats.add_map(lambda table: mask(table).to_pylist()),
    "by row": lambda chats: chats.add_map(by_row(mask_row)),
    "halves": lambda chats: chats.add_yield_map(halves).add_map(mask),
    "batches": lambda chats: chats.add_map(mask).add_yield_map(lambda table: table.to_batches()),
}


@pytest.mark.parametrize("steps", STEPS)
def test_a_map_may_give_tables_frames_or_rows(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, steps: str
) -> None:
    pipeline.run(source(sandbox))
    for _ in range(2):
        masked = source(sandbox, full_walk_every=FULL)
        STEPS[steps](masked.chats)
        pipeline.run(masked)
        assert one(pipeline, "SELECT COUNT(*) FROM chats WHERE name = 'x'") == 120, "all of them"
        assert current(pipeline) == 120
        assert one(pipeline, "SELECT COUNT(*) FROM chats_history") == 240, "once"
    lists = {chat["id"]: len(chat.get("folder") or ()) for chat in world.relist()}
    assert one(pipeline, "SELECT COUNT(*) FROM chats__folder") == sum(lists.values())
    pipeline.run(source(sandbox, full_walk_every=FULL))
    assert is_equal(pipeline, world), "without it, all is as it was"


def test_arrays_and_history_follow_a_filter(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    linkedin = [c for c in world.relist() if c["account_type"] == "LINKEDIN"]
    for step in (
        lambda table: table.filter(pc.equal(table["account_type"], "LINKEDIN")),
        by_row(lambda row: row if row["account_type"] == "LINKEDIN" else None),
    ):
        kept = source(sandbox, full_walk_every=FULL)
        kept.chats.add_map(step)
        pipeline.run(kept)
        assert one(pipeline, "SELECT COUNT(*) FROM chats") == len(linkedin) == current(pipeline)
        elements = sum(len(chat.get("folder") or ()) for chat in linkedin)
        assert one(pipeline, "SELECT COUNT(*) FROM chats__folder") == elements


def test_a_column_may_go_and_another_come(sandbox: Sandbox, pipeline: dlt.Pipeline) -> None:
    for _ in range(2):
        other = source(sandbox, full_walk_every=FULL)
        other.chats.add_map(lambda table: table.drop_columns(["subject", "folder"]))
        other.chats.add_map(by_row(lambda row: row | {"tenant": "acme"}))
        pipeline.run(other)
        assert one(pipeline, "SELECT COUNT(*) FROM chats WHERE tenant = 'acme'") == 120
        assert one(pipeline, "SELECT COUNT(subject) FROM chats") == 0
        assert one(pipeline, "SELECT COUNT(*) FROM chats__folder") == 0
        assert one(pipeline, "SELECT COUNT(*) FROM chats_history WHERE tenant = 'acme'") == 120


def test_chats_whose_ids_a_step_changes_are_not_taken_for_gone(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    for _ in range(3):
        hashed = source(sandbox, full_walk_every=FULL)
        hashed.chats.add_map(by_row(lambda row: row | {"id": f"h-{row['id']}"}))
        pipeline.run(hashed)
        assert one(pipeline, "SELECT COUNT(*) FROM chats") == 120 == current(pipeline)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (lambda row: row.update(name="x"), "by_row"),
        (lambda row: row["unread_count"] > 0, "by_row"),
        (lambda table: table.drop_columns(["id"]), "Keep the column id"),
        (lambda table: table.drop_columns(["account_id"]), "Keep the column account_id"),
        (lambda table: table.drop_columns(["timestamp"]), "Keep the column timestamp"),
        (lambda table: table.append_column("name", table["subject"]), "set_column"),
        (lambda table: table.append_column("Name", table["subject"]), "set_column"),
        (by_row(lambda row: row | {"id": None}), "Keep the id"),
        (by_row(lambda row: row | {"extra": "gone"}), "Leave extra as it is"),
        (lambda table: "a text", "rows as dicts"),
        (lambda table: 7, "rows as dicts"),
        (lambda table: table.to_pandas().assign(unread_count="many"), "values of its type"),
    ],
)
def test_a_step_that_cannot_work_is_told_how_it_can(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, step: Any, says: str
) -> None:
    wrong = source(sandbox)
    wrong.chats.add_map(step)
    with pytest.raises(PipelineStepFailed) as failed:
        pipeline.run(wrong)
    assert isinstance(cause_of(failed.value), PostpressArgumentError)
    assert says in str(failed.value)
    assert "'many'" not in str(failed.value), "a value"
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world), "nothing is left that would load first"


@pytest.mark.parametrize(
    ("keeps", "chats"),
    [
        (lambda row: row["account_type"] == "LINKEDIN", "account_type = 'LINKEDIN'"),
        (lambda row: row["unread_count"] > 0, "unread_count > 0"),
        (lambda row: row["name"] is not None, "name IS NOT NULL"),
        (lambda row: "SALES" in (row["folder"] or ()), "FALSE"),
        (lambda table: table.num_rows > 9, "TRUE"),
    ],
)
def test_a_filter_is_asked_of_each_row(
    sandbox: Sandbox, pipeline: dlt.Pipeline, keeps: Any, chats: str
) -> None:
    filtered = source(sandbox)
    filtered.chats.add_filter(keeps)
    pipeline.run(filtered)
    (landed,) = select(pipeline, "SELECT COUNT(*) AS n FROM chats")
    pipeline.run(source(sandbox, full_walk_every=FULL))
    assert landed == select(pipeline, f"SELECT COUNT(*) AS n FROM chats WHERE {chats}")[0]  # noqa: S608


def test_what_a_step_marks_as_chats_is_chats(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    marked = source(sandbox, full_walk_every=FULL)
    marked.chats.add_map(lambda table: dlt.mark.with_table_name(table, "chats"))
    world.receive_message(world.chat_ids[100])
    pipeline.run(marked)
    assert is_equal(pipeline, world)
    assert current(pipeline) == 120


def test_a_transformer_gets_tables_of_chats_and_alone_it_moves_nothing(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    @dlt.transformer
    def sizes(table: pa.Table) -> Iterator[Any]:
        yield {"chats": table.num_rows, "lists": "folder" in table.column_names}

    pipeline.run(source(sandbox).chats | sizes)
    assert select(pipeline, "SELECT chats, lists FROM sizes") == [{"chats": 120, "lists": True}]
    state = pipeline.state["sources"]["inbox"]["resources"]["chats"]
    assert "scopes" not in state, "no chat has landed"
    with_both = source(sandbox)
    with_both.resources.add(with_both.chats | sizes)
    pipeline.run(with_both)
    assert is_equal(pipeline, world)


def test_a_look_without_a_pipeline_makes_none(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    (table,) = source(sandbox)
    assert table.num_rows == 120
    assert table["folder"].type == pa.list_(pa.string())
    assert not (tmp_path / "dlt").exists()


@pytest.mark.parametrize("naming", ["snake_case", "sql_cs_v1", "sql_ci_v1"])
def test_tables_that_are_named_otherwise(
    world: World,
    sandbox: Sandbox,
    pipeline: dlt.Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    naming: str,
) -> None:
    monkeypatch.setenv("SCHEMA__NAMING", naming)
    for disposition in ("merge", "append", "merge"):
        world.receive_message(world.chat_ids[100])
        world.delete_chat(world.chat_ids[5])
        renamed = source(sandbox, full_walk_every=FULL)
        pipeline.run(renamed, table_name="inbox", write_disposition=disposition)
    assert one(pipeline, "SELECT COUNT(*) FROM inbox") == len(world.relist())
    assert one(pipeline, "SELECT COUNT(DISTINCT id) FROM inbox") == len(world.relist())
    elements = sum(len(chat.get("folder") or ()) for chat in world.relist())
    assert one(pipeline, "SELECT COUNT(*) FROM inbox__folder") == elements
    assert one(pipeline, "SELECT COUNT(*) FROM inbox_walks") == 3
    kept = "SELECT COUNT(*) FROM inbox_history WHERE seen_until IS NULL"
    assert one(pipeline, kept) == len(world.relist())


@pytest.mark.parametrize("refresh", ["drop_data", "drop_resources", "drop_sources"])
def test_a_refresh_fills_what_it_has_emptied(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, refresh: Any
) -> None:
    pipeline.run(source(sandbox))
    for _ in range(2):
        pipeline.run(source(sandbox), refresh=refresh)
        assert is_equal(pipeline, world)
        assert current(pipeline) == 120


def test_a_schema_goes_out_and_in(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        other = dlt.pipeline(
            name,
            destination=dlt.destinations.duckdb(str(tmp_path / f"{name}.duckdb")),
            dataset_name="postpress",
            pipelines_dir=str(tmp_path / name),
            import_schema_path=str(tmp_path / "schemas"),
            export_schema_path=str(tmp_path / "schemas"),
        )
        for _ in range(2):
            other.run(source(sandbox, full_walk_every=FULL))
            assert is_equal(other, world)


def test_a_contract_that_discards_new_tables_lands_nothing_and_asks_for_nothing(
    sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    for _ in range(2):
        frozen = source(sandbox)
        frozen.schema_contract = {"tables": "discard_value"}
        pipeline.run(frozen)
    assert not sandbox.requests
    assert not [t for t in pipeline.default_schema.data_table_names() if t.startswith("chat")]
    pipeline.run(source(sandbox))
    assert one(pipeline, "SELECT COUNT(*) FROM chats") == 120
