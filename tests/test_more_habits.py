"""Whatever dlt lets a user do with a source, run after run, judged against the list.

Each habit is one run's way; the inbox changes in between, and every run is a full walk.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest

from postpress_source import postpress_source
from postpress_source.sandbox import Sandbox, World
from tests.proof.landed import is_equal, select

Habit = Callable[[dlt.Pipeline, Any], Any]
Opened = Callable[..., dlt.Pipeline]


pytestmark = pytest.mark.slow

ON_POSTGRES = os.environ.get("POSTPRESS_TEST_HABITS") == "postgres"


def source(sandbox: Sandbox, **arguments: Any) -> Any:
    every: Any = {"full_walk_every": timedelta(0), "limit": 20}
    return postpress_source("pp_live_of_the_tests", sandbox.url, **every | arguments)


def change(world: World) -> None:
    world.receive_message(world.chat_ids[100])
    world.edit(world.chat_ids[80], name="renamed", folder=["x", "y"])
    world.edit(world.chat_ids[81], folder=[])
    world.new_chat(next(iter(world.accounts)))


def step_by_step(pipeline: dlt.Pipeline, source: Any) -> None:
    pipeline.extract(source)
    pipeline.normalize()
    pipeline.load()


def extracted_twice(pipeline: dlt.Pipeline, source: Any) -> None:
    pipeline.extract(source)
    pipeline.extract(source)
    pipeline.normalize()
    pipeline.load()


def dropped_before(pipeline: dlt.Pipeline, source: Any) -> None:
    pipeline.drop()
    pipeline.run(source)


def dropped_and_restored(pipeline: dlt.Pipeline, source: Any) -> None:
    pipeline.run(source)
    pipeline.drop()
    pipeline.sync_destination()


def with_another_resource(pipeline: dlt.Pipeline, source: Any) -> None:
    source.resources.add(dlt.resource([{"a": 1}], name="mine"))
    pipeline.run(source)


@dlt.transformer(name="names")
def names(chats: pa.Table) -> Iterator[pa.Table]:
    if "account_type" in chats.column_names:
        yield chats.select(["id", "name"])


def with_a_transformer(pipeline: dlt.Pipeline, source: Any) -> None:
    source.resources.add(source.chats | names())
    pipeline.run(source)


def with_metrics(pipeline: dlt.Pipeline, source: Any) -> None:
    source.chats.add_metrics(lambda items, meta, metrics: metrics.update(seen=True))
    pipeline.run(source)


def as_rows(pipeline: dlt.Pipeline, source: Any) -> None:
    source.chats.add_map(lambda chats: chats.to_pylist())
    pipeline.run(source)


def rows_one_by_one(pipeline: dlt.Pipeline, source: Any) -> None:
    source.chats.add_yield_map(lambda chats: iter(chats.to_pylist()))
    pipeline.run(source)


def as_frames(pipeline: dlt.Pipeline, source: Any) -> None:
    source.chats.add_map(lambda chats: chats.to_pandas())
    pipeline.run(source)


def root_key(pipeline: dlt.Pipeline, source: Any) -> None:
    source.root_key = True
    pipeline.run(source)


def run(**arguments: Any) -> Habit:
    return lambda pipeline, source: pipeline.run(source, **arguments)


HABITS: dict[str, Habit] = {
    "step by step": step_by_step,
    "extracted twice, loaded once": extracted_twice,
    "the same source twice": lambda p, s: (p.run(s), p.run(s)),
    "the working folder dropped before": dropped_before,
    "the working folder dropped and restored": dropped_and_restored,
    "the resource alone": lambda p, s: p.run(s.chats),
    "selected by name": lambda p, s: p.run(s.with_resources("chats")),
    "with another resource": with_another_resource,
    "in a list with another": lambda p, s: p.run([s, dlt.resource([{"a": 1}], name="mine")]),
    "with a transformer": with_a_transformer,
    "with metrics": with_metrics,
    "a map by |": lambda p, s: p.run(s.chats | (lambda chats: chats)),
    "a map to rows": as_rows,
    "a map to rows, one by one": rows_one_by_one,
    "a map to frames": as_frames,
    "a new name": lambda p, s: p.run(s.chats.with_name("chats")),
    "root keys": root_key,
    "parallelized": lambda p, s: p.run(s.parallelize()),
    **({} if ON_POSTGRES else {"jsonl": run(loader_file_format="jsonl")}),  # dlt refuses it there
    "inserts": run(loader_file_format="insert_values"),
    "replace": run(write_disposition="replace"),
    "upsert, unchanged rows left alone": run(
        write_disposition={
            "disposition": "merge",
            "strategy": "upsert",
            "skip_unchanged_rows": True,
        }
    ),
    "new columns discarded": run(schema_contract={"columns": "discard_value"}),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("habit", [pytest.param(HABITS[name], id=name) for name in HABITS])
def test_tables_are_the_list_after_every_run(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, habit: Habit
) -> None:
    for _ in range(3):
        habit(pipeline, source(sandbox))
        assert is_equal(pipeline, world)
        change(world)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SCHEMA__NAMING", "sql_cs_v1"),
        ("SCHEMA__NAMING", "direct"),
        ("SCHEMA__NAMING", "duck_case"),
        ("DATA_WRITER__FILE_MAX_ITEMS", "7"),
        ("DATA_WRITER__BUFFER_MAX_ITEMS", "3"),
        ("LOAD__TRUNCATE_STAGING_DATASET", "true"),
        ("LOAD__WORKERS", "1"),
    ],
)
def test_a_setting_of_dlts_own_changes_no_row(
    world: World,
    sandbox: Sandbox,
    pipeline: dlt.Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable, value)
    for _ in range(3):
        pipeline.run(source(sandbox))
        assert is_equal(pipeline, world)
        change(world)


@pytest.mark.parametrize("folder", ["export", "import"])
def test_a_schema_is_exported_and_imported(
    world: World, sandbox: Sandbox, tmp_path: Path, opened: Opened, folder: str
) -> None:
    listed = [chat["id"] for chat in world.relist() if chat.get("folder")]
    for chat in listed[:3]:
        pipeline = opened(
            export_schema_path=str(tmp_path / folder),
            import_schema_path=str(tmp_path / "import"),
        )
        pipeline.run(source(sandbox))
        assert is_equal(pipeline, world), "all that changed is that a list is empty now"
        world.refile(chat, [])
        world.receive_message(chat)
    assert (tmp_path / folder / "postpress.schema.yaml").exists()


def test_a_diagram_has_one_reference_a_pair_of_tables(
    sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    lines = pipeline.default_schema.to_mermaid().splitlines()
    arrows = [line.partition(":")[0].strip() for line in lines if "--" in line]
    assert "chats__folder }|--|| chats" in arrows
    assert len(arrows) == len(set(arrows))


def test_what_is_limited_in_one_run_comes_in_the_next(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    for limit in ({"max_items": 0}, {"max_items": 2}, {"max_time": 0.0001}):
        change(world)
        pipeline.run(source(sandbox).add_limit(**limit))
        pipeline.run(source(sandbox))
        assert is_equal(pipeline, world)
    change(world)
    limited = source(sandbox)
    limited.chats.add_limit(10, count_rows=True)
    pipeline.run(limited)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_a_table_that_is_renamed_gets_the_whole_list_at_once(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    for name in ("chats", "conversations", "chats"):
        renamed = source(sandbox, full_walk_every=timedelta(days=1))
        renamed.chats.apply_hints(table_name=name)
        pipeline.run(renamed)
        ids = {row["id"] for row in select(pipeline, f"SELECT id FROM {name}")}  # noqa: S608
        assert ids == {chat["id"] for chat in world.relist()}
        change(world)
        world.delete_chat(world.chat_ids[-1])


ODD: dict[str, Callable[[int], pa.Array]] = {
    "float32": lambda rows: pa.array([1.5] * rows, pa.float32()),
    "large_string": lambda rows: pa.array(["a"] * rows, pa.large_string()),
    "a list": lambda rows: pa.array([["a"]] * rows),
    "a struct": lambda rows: pa.array([{"a": 1}] * rows),
    "a dictionary": lambda rows: pa.array(["a"] * rows).dictionary_encode(),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_column_that_a_map_adds_is_no_trouble_when_a_chat_goes(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, kind: str
) -> None:
    def score(chats: pa.Table) -> pa.Table:
        return chats.append_column("score", ODD[kind](chats.num_rows))

    for _ in range(2):
        scored = source(sandbox)
        scored.chats.add_map(score)
        pipeline.run(scored)
        ids = {row["id"] for row in select(pipeline, "SELECT id FROM chats")}
        assert ids == {chat["id"] for chat in world.relist()}
        change(world)
        world.delete_chat(world.chat_ids[0])


def test_a_map_that_fails_takes_nothing_and_the_next_run_loads_all(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    change(world)
    broken = source(sandbox)
    broken.chats.add_map(lambda chats: chats["no such column"])
    with pytest.raises(Exception, match="no such column"):
        pipeline.run(broken)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_a_function_is_a_destination(
    world: World, sandbox: Sandbox, tmp_path: Path, opened: Opened
) -> None:
    got: list[str] = []

    @dlt.destination(batch_size=50, loader_file_format="parquet")
    def collect(items: Any, table: Any) -> None:
        if table["name"] == "chats":
            got.extend(items["id"].to_pylist())

    pipeline = opened(destination=collect)
    pipeline.run(source(sandbox))
    assert sorted(got) == sorted(chat["id"] for chat in world.relist())


def text_of(file: Path) -> str:
    data = file.read_bytes()
    return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("said_by", ["a hint", "run"])
def test_files_can_be_csv(
    world: World,
    sandbox: Sandbox,
    tmp_path: Path,
    opened: Opened,
    said_by: str,
) -> None:
    pipeline = opened(destination=dlt.destinations.filesystem((tmp_path / "files").as_uri()))
    as_csv = source(sandbox)
    if said_by == "run":
        pipeline.run(as_csv, loader_file_format="csv")
    else:
        as_csv.chats.apply_hints(file_format="csv")
        pipeline.run(as_csv)
    files = (tmp_path / "files").rglob("chats/*.csv*")
    rows = [row for file in files for row in csv.DictReader(text_of(file).splitlines())]
    listed = {chat["id"]: chat for chat in world.relist()}
    assert len(rows) == len(listed)
    for row in rows:
        assert json.loads(row["folder"] or "null") == listed[row["id"]].get("folder")


def test_a_new_column_of_a_frozen_schema_is_refused_and_nothing_is_lost(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    change(world)
    wider = source(sandbox)
    wider.chats.add_map(lambda chats: chats.append_column("team", pa.array(["a"] * chats.num_rows)))
    with pytest.raises(Exception, match="are frozen"):
        pipeline.run(wider, schema_contract={"columns": "freeze"})
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_append_keeps_every_version_and_a_later_merge_makes_one_of_them(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    for number in range(1, 3):
        pipeline.run(source(sandbox), write_disposition="append")
        rows = select(pipeline, "SELECT id FROM chats")
        assert len(rows) >= 120 * number
        change(world)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)
