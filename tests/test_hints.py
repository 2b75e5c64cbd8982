"""Hints, and settings wherever dlt finds them: heeded, or refused before any request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import PostpressArgumentError, postpress_source
from postpress_source.sandbox import Sandbox, World
from tests.proof.landed import is_equal, landed_chats, select
from tests.proof.test_pipeline import cause_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
KEY = "pp_live_of_the_tests"
CET = timezone(timedelta(hours=1))
NOON = datetime(2026, 10, 23, 12, tzinfo=UTC)


def source(sandbox: Sandbox, **arguments: Any) -> Any:
    return postpress_source(KEY, sandbox.url, limit=20, **arguments)


def instants(world: World) -> list[datetime]:
    listed = [chat["timestamp"] for chat in world.relist()]
    return sorted(datetime.fromisoformat(timestamp) for timestamp in listed if timestamp)


def landed_instants(pipeline: dlt.Pipeline) -> list[datetime]:
    return sorted(row["timestamp"] for row in landed_chats(pipeline).values() if row["timestamp"])


def assert_refused(run: Any, named: str, instead: str, sandbox: Sandbox) -> None:
    sandbox.requests.clear()
    with pytest.raises(PipelineStepFailed) as failed:
        run()
    cause = cause_of(failed.value)
    assert isinstance(cause, PostpressArgumentError)
    assert named in cause.summary
    assert instead in cause.next_step
    assert failed.value.step == "extract"
    assert not failed.value.pipeline.has_pending_data
    assert not sandbox.requests


# --- the incremental -----------------------------------------------------------------------------

REFUSED_INCREMENTALS: list[tuple[dict[str, Any], str, str]] = [
    ({"lag": 3600}, "lag", "lookback"),
    ({"lag": 3600, "initial_value": "2026-10-01"}, "lag", "lookback"),
    ({"row_order": "desc"}, "row_order", "by itself"),
    ({"row_order": "asc"}, "row_order", "by itself"),
    ({"on_cursor_value_missing": "exclude"}, "exclude", "timestamp IS NOT NULL"),
    ({"last_value_func": min}, "last_value_func", "max"),
    ({"last_value_func": lambda values: sorted(values)[-1]}, "last_value_func", "max"),
    ({"cursor_path": "unread_count"}, "unread_count", '"timestamp"'),
    ({"cursor_path": "$.timestamp"}, "$.timestamp", '"timestamp"'),
    ({"primary_key": "account_id"}, "primary_key", "the key is id"),
    ({"primary_key": ("id", "account_id")}, "primary_key", "the key is id"),
]


@pytest.mark.parametrize(("arguments", "named", "instead"), REFUSED_INCREMENTALS)
def test_an_argument_of_incremental_that_could_not_be_heeded_is_refused(
    sandbox: Sandbox, pipeline: dlt.Pipeline, arguments: dict[str, Any], named: str, instead: str
) -> None:
    incremental: Any = dlt.sources.incremental(**{"cursor_path": "timestamp"} | arguments)
    hinted = source(sandbox)
    hinted.chats.apply_hints(incremental=incremental)
    assert_refused(lambda: pipeline.run(hinted), named, instead, sandbox)
    bound = source(sandbox).chats(timestamp=incremental)
    assert_refused(lambda: pipeline.run(bound), named, instead, sandbox)


def test_lag_is_refused_in_a_later_run_too_where_it_meets_a_start_date_that_is_text(
    sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    hinted = source(sandbox)
    hinted.chats.apply_hints(
        incremental=dlt.sources.incremental("timestamp", initial_value="2026-01-01", lag=3600)
    )
    assert_refused(lambda: pipeline.run(hinted), "lag", "lookback", sandbox)


@pytest.mark.parametrize("primary_key", [None, (), "id", ["id"], ("id",)])
def test_an_incremental_may_name_the_key_that_there_is(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, primary_key: Any
) -> None:
    hinted = source(sandbox)
    hinted.chats.apply_hints(
        incremental=dlt.sources.incremental("timestamp", primary_key=primary_key)
    )
    pipeline.run(hinted)
    assert is_equal(pipeline, world)


@pytest.mark.parametrize("range_start", ["closed", "open"])
@pytest.mark.parametrize("range_end", [None, "closed", "open"])
def test_the_rows_on_the_bounds_come_as_asked(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, range_start: Any, range_end: Any
) -> None:
    known = instants(world)
    start, end = known[40], known[80]
    bounds = {} if range_end is None else {"end_value": end, "range_end": range_end}
    hinted = source(sandbox)
    hinted.chats.apply_hints(
        incremental=dlt.sources.incremental(
            "timestamp", initial_value=start, range_start=range_start, **bounds
        )
    )
    pipeline.run(hinted)
    assert landed_instants(pipeline) == [
        instant
        for instant in known
        if (instant > start or (instant == start and range_start == "closed"))
        and (range_end is None or instant < end or (instant == end and range_end == "closed"))
    ]


def test_chats_without_a_timestamp_are_kept_though_dlts_default_is_to_raise(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    world.null_timestamp(world.chat_ids[7])
    hinted = source(sandbox)
    hinted.chats.apply_hints(
        incremental=dlt.sources.incremental("timestamp", on_cursor_value_missing="raise")
    )
    pipeline.run(hinted)
    assert is_equal(pipeline, world)


def test_an_end_without_a_start_is_refused_by_dlt(sandbox: Sandbox, pipeline: dlt.Pipeline) -> None:
    hinted = source(sandbox)
    hinted.chats.apply_hints(incremental=dlt.sources.incremental("timestamp", end_value=NOON))
    with pytest.raises(PipelineStepFailed, match="`initial_value` is required"):
        pipeline.run(hinted)
    assert not sandbox.requests


def test_a_schedulers_interval_is_taken_where_the_user_allows_it(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = instants(world)
    monkeypatch.setenv("DLT_INTERVAL_START", known[40].isoformat())
    monkeypatch.setenv("DLT_INTERVAL_END", known[80].isoformat())
    scheduled = source(sandbox)
    scheduled.chats.incremental.allow_external_schedulers = True
    pipeline.run(scheduled)
    assert landed_instants(pipeline) == known[40:80]


@pytest.mark.parametrize("bound", ["incremental", "value"])
def test_a_resource_that_was_called_loads_like_any(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, bound: str
) -> None:
    known = instants(world)
    value = (
        dlt.sources.incremental("timestamp", initial_value=known[60])
        if bound == "incremental"
        else known[60]
    )
    pipeline.run(source(sandbox).chats(timestamp=value))
    assert landed_instants(pipeline) == known[60:]


# --- dates ---------------------------------------------------------------------------------------

ALIKE: list[tuple[Any, datetime]] = [
    ("2026-10-23T12:00:00Z", NOON),
    ("2026-10-23 12:00:00", NOON),
    ("2026-10-23T13:00:00+01:00", NOON),
    (NOON, NOON),
    (NOON.replace(tzinfo=None), NOON),
    (NOON.astimezone(CET), NOON),
    ("2026-10-23", NOON.replace(hour=0)),
    ("20261023", NOON.replace(hour=0)),
    (date(2026, 10, 23), NOON.replace(hour=0)),
]


@pytest.mark.parametrize(("given", "meant"), ALIKE)
@pytest.mark.parametrize("argument", ["before", "after"])
def test_dates_are_read_alike_in_arguments(
    sandbox: Sandbox, pipeline: dlt.Pipeline, argument: str, given: Any, meant: datetime
) -> None:
    pipeline.run(source(sandbox, **{argument: given}))
    assert sandbox.requests[0].query[argument] == meant.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.mark.parametrize(("given", "meant"), ALIKE)
def test_dates_are_read_alike_in_the_incremental(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, given: Any, meant: datetime
) -> None:
    hinted = source(sandbox)
    hinted.chats.apply_hints(incremental=dlt.sources.incremental("timestamp", initial_value=given))
    for _ in range(2):
        pipeline.run(hinted)
        assert landed_instants(pipeline) == [at for at in instants(world) if at >= meant]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 10, 22), date(2026, 10, 24)),
        ("2026-10-22", "2026-10-24"),
        (datetime(2026, 10, 22), datetime(2026, 10, 24)),  # noqa: DTZ001 - naive is meant
    ],
)
def test_dates_are_read_alike_as_a_range(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, start: Any, end: Any
) -> None:
    hinted = source(sandbox)
    hinted.chats.apply_hints(
        incremental=dlt.sources.incremental("timestamp", initial_value=start, end_value=end)
    )
    pipeline.run(hinted)
    bounds = datetime(2026, 10, 22, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)
    wanted = [at for at in instants(world) if bounds[0] <= at < bounds[1]]
    assert landed_instants(pipeline) == wanted
    assert wanted


# --- where settings come from --------------------------------------------------------------------


def asked(sandbox: Sandbox, name: str) -> set[str | None]:
    return {request.query.get(name) for request in sandbox.requests}


@pytest.fixture
def environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("SOURCES__POSTPRESS__API_KEY", KEY)
    monkeypatch.setenv("SOURCES__POSTPRESS__BASE_URL", sandbox.url)
    return monkeypatch


@pytest.mark.parametrize("form", ["[{0}, {1}]", " [{0},{1}] ", '["{2},{3}"]', "{2},{3}"])
def test_several_accounts_come_from_the_environment(
    world: World, environment: pytest.MonkeyPatch, sandbox: Sandbox, pipeline: Any, form: str
) -> None:
    accounts = sorted(world.accounts)
    value = form.format(*map(json.dumps, accounts), *accounts)
    environment.setenv("SOURCES__POSTPRESS__ACCOUNT_ID", value)
    pipeline.run(postpress_source())
    assert asked(sandbox, "account_id") == set(accounts)
    assert is_equal(pipeline, world)


LOAD = """
import dlt
import pyarrow as pa
from postpress_source import postpress_source
pipeline = dlt.pipeline("toml", destination=dlt.destinations.duckdb("inbox.duckdb"))
pipeline.run(postpress_source())
"""


@pytest.mark.parametrize(
    ("line", "name", "sent"),
    [
        ("account_id = ['{0}', '{1}']", "account_id", None),
        ("after = 2026-10-23", "after", "2026-10-23T00:00:00.000Z"),
        ("after = 2026-10-23T12:00:00", "after", "2026-10-23T12:00:00.000Z"),
        ("before = 2026-10-23T13:00:00+01:00", "before", "2026-10-23T12:00:00.000Z"),
        ("before = '2026-10-23'", "before", "2026-10-23T00:00:00.000Z"),
    ],
)
def test_lists_and_dates_come_from_toml(
    world: World,
    environment: Any,
    sandbox: Sandbox,
    tmp_path: Path,
    line: str,
    name: str,
    sent: Any,
) -> None:
    accounts = sorted(world.accounts)
    (tmp_path / ".dlt").mkdir()
    settings = f"[sources.postpress]\n{line.format(*accounts)}\n"
    (tmp_path / ".dlt" / "config.toml").write_text(settings)
    subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DLT_DATA_DIR": str(tmp_path / "dlt")},
        check=True,
    )
    assert asked(sandbox, name) == ({sent} if sent else set(accounts))


def test_a_clone_has_settings_of_its_own(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = postpress_source.clone(name="b", section="b")
    monkeypatch.setenv("SOURCES__B__API_KEY", KEY)
    monkeypatch.setenv("SOURCES__POSTPRESS__PARALLEL_ACCOUNTS", "0")
    monkeypatch.setenv("SOURCES__B__PARALLEL_ACCOUNTS", "65")
    with pytest.raises(PostpressArgumentError, match="parallel_accounts=65"):
        clone(base_url=sandbox.url)
    monkeypatch.setenv("SOURCES__B__PARALLEL_ACCOUNTS", "2")
    pipeline.run(clone(base_url=sandbox.url))
    assert is_equal(pipeline, world)
    with pytest.raises(PostpressArgumentError, match="allow_plain_http"):
        clone(base_url="http://inbox.example")
    monkeypatch.setenv("SOURCES__POSTPRESS__ALLOW_PLAIN_HTTP", "true")
    with pytest.raises(PostpressArgumentError, match="allow_plain_http"):
        clone(base_url="http://inbox.example")
    monkeypatch.setenv("SOURCES__B__ALLOW_PLAIN_HTTP", "true")
    clone(base_url="http://inbox.example")


# --- the resource's hints ------------------------------------------------------------------------

REFUSED_HINTS: list[tuple[dict[str, Any], str, str]] = [
    ({"primary_key": "account_id"}, "primary_key=account_id", "make a view"),
    ({"primary_key": ["id", "account_id"]}, "primary_key=account_id, id", "make a view"),
    ({"primary_key": ""}, "primary_key=None", "make a view"),
    ({"merge_key": "account_id"}, "merge_key=account_id", "merged on id"),
    ({"columns": {"archived": {"hard_delete": True}}}, "hard_delete=archived", "add_filter"),
    ({"columns": {"timestamp": {"dedup_sort": "desc"}}}, "dedup_sort=timestamp", "last seen"),
    ({"columns": {"provider_id": {"row_key": True}}}, "row_key=id, provider_id", "Leave it out"),
    ({"columns": {"timestamp": {"data_type": "text"}}}, "data_type='text'", "in a view"),
    ({"columns": {"name": {"nullable": False}}}, "nullable=False for the column name", "a view"),
    ({"nested_hints": {"folder": {"columns": {}}}}, "nested_hints", "in a view"),
    ({"parent_table_name": "accounts"}, "parent_table_name", "a table of its own"),
    ({"table_name": lambda _: "chats"}, "table_name as a function", "one name"),
    ({"write_disposition": "skip"}, "skip", "selected = False"),
    (
        {"write_disposition": {"disposition": "merge", "strategy": "scd2"}},
        "scd2",
        "Leave the strategy out",
    ),
    (
        {"write_disposition": {"disposition": "merge", "source_filter": "unread_count > 0"}},
        "source_filter",
        "Leave it out",
    ),
    (
        {"write_disposition": {"disposition": "merge", "destination_scope": "archived"}},
        "destination_scope",
        "Leave it out",
    ),
    (
        {
            "write_disposition": {
                "disposition": "merge",
                "strategy": "upsert",
                "row_version_column_name": "version",
                "skip_unchanged_rows": True,
            }
        },
        "row_version_column_name",
        "Leave it out",
    ),
]


@pytest.mark.parametrize(
    ("hints", "named", "instead"), REFUSED_HINTS, ids=[named for _, named, _ in REFUSED_HINTS]
)
def test_a_hint_that_could_not_be_heeded_is_refused(
    sandbox: Sandbox, pipeline: dlt.Pipeline, hints: dict[str, Any], named: str, instead: str
) -> None:
    for _ in range(2):  # on tables that aren't there, and on those that are
        hinted = source(sandbox)
        hinted.chats.apply_hints(**hints)
        assert_refused(lambda run=hinted: pipeline.run(run), named, instead, sandbox)
        pipeline.run(source(sandbox))


def test_the_page_lists_what_is_refused() -> None:
    page = (ROOT / "docs" / "dlt-recipes.md").read_text("utf-8")
    table = page[page.index("| habit | |") :]
    refused = "\n".join(line for line in table.splitlines() if "| refused" in line)
    columns: list[dict[str, Any]] = [hints.get("columns", {}) for hints, *_ in REFUSED_HINTS]
    names = [
        *(key for arguments, *_ in REFUSED_INCREMENTALS for key in arguments),
        *(key for hints, *_ in REFUSED_HINTS for key in hints if key != "columns"),
        *(key for hinted in columns for column in hinted.values() for key in column),
        "select_tables",
        "add_dlt_id",
        "add_dlt_load_id",
        "`replace` with `add_limit",
        "dataset_name",
        "a column called",
        'loader_file_format="csv"',
    ]
    others = {"initial_value", "cursor_path", "write_disposition"}
    assert {name for name in names if name not in refused} <= others


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"write_disposition": "skip"}, "skip"),
        ({"primary_key": "account_id"}, "primary_key=account_id"),
        ({"columns": {"archived": {"hard_delete": True}}}, "hard_delete"),
    ],
)
def test_what_is_given_to_run_is_looked_at_too(
    sandbox: Sandbox, pipeline: dlt.Pipeline, arguments: dict[str, Any], named: str
) -> None:
    assert_refused(lambda: pipeline.run(source(sandbox), **arguments), named, "", sandbox)


@pytest.mark.parametrize("where", ["source", "resource", "clone"])
def test_nesting_of_none_is_refused_and_more_is_what_there_is(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, where: str
) -> None:
    def nested(depth: int) -> Any:
        if where == "clone":
            clone = postpress_source.clone(max_table_nesting=depth)
            return clone(KEY, sandbox.url, limit=20)
        hinted = source(sandbox)
        (hinted if where == "source" else hinted.chats).max_table_nesting = depth
        return hinted

    assert_refused(lambda: pipeline.run(nested(0)), "max_table_nesting=0", "in a map", sandbox)
    pipeline.run(nested(1))
    assert is_equal(pipeline, world)


@pytest.mark.parametrize("where", ["source", "resource", "clone"])
def test_a_parallelized_source_loads_the_same(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, where: str
) -> None:
    for _ in range(2):
        if where == "clone":
            parallel = postpress_source.clone(parallelized=True)(KEY, sandbox.url, limit=20)
        else:
            parallel = source(sandbox)
            (parallel if where == "source" else parallel.chats).parallelize()
        pipeline.run(parallel)
        assert is_equal(pipeline, world)
        world.receive_message(world.chat_ids[100])
    (walk,) = select(pipeline, "SELECT kind FROM chat_walks ORDER BY started_at DESC LIMIT 1")
    assert walk["kind"] == "head"


def test_a_limit_ends_a_parallelized_one_too(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    for _ in range(2):
        limited = source(sandbox)
        limited.chats.parallelize()
        pipeline.run(limited.add_limit(0))
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_a_part_does_not_take_the_place_of_the_whole(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    asked = len(sandbox.requests)
    limited = source(sandbox)
    limited.add_limit(1)
    with pytest.raises(PipelineStepFailed, match=r"replace with add_limit.* Load with merge"):
        pipeline.run(limited, write_disposition="replace")
    assert len(sandbox.requests) == asked
    assert is_equal(pipeline, world)


def test_to_select_some_of_the_tables_is_refused(sandbox: Sandbox, pipeline: dlt.Pipeline) -> None:
    selected = source(sandbox)
    selected.chats.select_tables("chats")
    assert_refused(lambda: pipeline.run(selected), "select_tables", "Leave it out", sandbox)


@pytest.mark.parametrize("column", ["id", "load_id"])
def test_columns_of_dlts_own_are_refused_and_may_be_set_for_other_pipelines(
    world: World,
    sandbox: Sandbox,
    pipeline: dlt.Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    column: str,
) -> None:
    setting = f"NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_{column.upper()}"
    monkeypatch.setenv(setting, "true")
    assert_refused(lambda: pipeline.run(source(sandbox)), f"add_dlt_{column}", "by name", sandbox)
    monkeypatch.setenv(f"{pipeline.pipeline_name.upper()}__{setting}", "false")
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_another_dataset_is_named_where_the_pipeline_is_made(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    own = pipeline.dataset_name
    pipeline.run(source(sandbox), dataset_name=own)
    other = lambda: pipeline.run(source(sandbox), dataset_name="other")  # noqa: E731
    assert_refused(other, "dataset_name='other'", "dlt.pipeline(", sandbox)
    pipeline.run(source(sandbox), dataset_name=own)
    assert is_equal(pipeline, world)


@pytest.mark.parametrize("name", ["gone", "Seen_From", "_dlt_id"])
def test_a_step_may_not_add_a_column_that_the_source_has(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, name: str
) -> None:
    wider = source(sandbox)
    wider.chats.add_map(lambda chats: chats.append_column(name, chats["id"]))
    with pytest.raises(PipelineStepFailed, match=f"a column {name}"):
        pipeline.run(wider)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


@pytest.mark.parametrize("said_by", ["a hint", "run"])
def test_csv_is_refused_where_it_makes_empty_texts_null(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said_by: str
) -> None:
    monkeypatch.setenv("RESTORE_FROM_DESTINATION", "false")  # there is no server
    nowhere = dlt.destinations.postgres("postgresql://nobody@127.0.0.1:1/none")
    pipeline = dlt.pipeline("csv", destination=nowhere, pipelines_dir=str(tmp_path))
    as_csv = source(sandbox)
    arguments: dict[str, Any] = {}
    if said_by == "run":
        arguments["loader_file_format"] = "csv"
    else:
        as_csv.chats.apply_hints(file_format="csv")
    assert_refused(lambda: pipeline.run(as_csv, **arguments), "csv", "every empty text", sandbox)


@pytest.mark.parametrize("double", [lambda t: pa.concat_tables([t, t]), lambda t: [t, t]])
def test_a_step_that_gives_a_chat_twice_is_refused(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, double: Any
) -> None:
    pipeline.run(source(sandbox))
    doubled = source(sandbox)
    doubled.chats.add_map(double)
    with pytest.raises(PipelineStepFailed, match="gives a chat twice"):
        pipeline.run(doubled)
    in_turn = source(sandbox)
    in_turn.chats.add_yield_map(lambda chats: iter([chats.slice(0, 9), chats.slice(8, 1)]))
    with pytest.raises(PipelineStepFailed, match="gives a chat twice"):
        pipeline.run(in_turn)
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_what_is_not_selected_is_not_read(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    pipeline.run(source(sandbox))
    sandbox.requests.clear()
    world.receive_message(world.chat_ids[100])
    unselected = source(sandbox)
    unselected.chats.selected = False
    pipeline.run(unselected)
    assert not sandbox.requests
    pipeline.run(source(sandbox))
    assert is_equal(pipeline, world)


def test_references_and_marks_of_columns_are_in_the_schema(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    hinted = source(sandbox)
    reference: Any = {
        "columns": ["account_id"],
        "referenced_table": "accounts",
        "referenced_columns": ["id"],
    }
    hinted.chats.apply_hints(
        references=[reference],
        columns={"account_id": {"cluster": True, "x-owner": "sales"}},
        additional_table_hints={"x-pii": True},
    )
    pipeline.run(hinted)
    assert is_equal(pipeline, world)
    table: Any = pipeline.default_schema.tables["chats"]
    assert table["references"] == [reference]
    assert table["x-pii"] is True
    assert table["columns"]["account_id"]["cluster"] is True
    assert table["columns"]["account_id"]["x-owner"] == "sales"


@pytest.mark.parametrize("of", ["source", "resource"])
def test_iterating_makes_no_pipeline(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "data"))
    context = Container()[PipelineContext]
    context.deactivate()
    iterated = source(sandbox)
    pages = list(iterated if of == "source" else iterated.chats)
    assert sum(page.num_rows for page in pages if "account_type" in page.column_names) == 120
    assert not context.is_active()
    assert not (tmp_path / "data").exists()
