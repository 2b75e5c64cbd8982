"""What users tell dlt of the resource: heeded, or refused before any request, in one sentence.

Heeded as anywhere in dlt, and so not looked at here: names, contracts, references, file and table
formats, columns that are new, descriptions, and marks that a destination heeds by itself
(`partition`, `cluster`, `unique`, `x-...`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from inspect import GEN_CLOSED, getgeneratorstate
from typing import Any, Final, cast

import dlt
from dlt.common.configuration import resolve_configuration
from dlt.common.schema.typing import TTableSchema
from dlt.extract import DltResource, DltSource
from dlt.extract.items_transform import LimitItem
from dlt.extract.pipe import Pipe
from dlt.extract.state import get_current_pipe
from dlt.normalize.configuration import ItemsNormalizerConfiguration

from postpress_source.chats.columns import CHATS
from postpress_source.errors import PostpressArgumentError
from postpress_source.landing.destination import capabilities_of_destination, csv_empties_texts

KEY: Final = "id"
STRATEGIES: Final = ("cdc", "delete-insert", "upsert")
"""Merges that leave alone what isn't staged, or can be told to."""

_Walk = Callable[["dlt.sources.incremental[datetime]"], Iterator[Any]]
_Refusal = tuple[str, str]
_NO_HINT: Final = "Leave it out: the source sets it, by what the destination can do."
_NORMALIZER: Final = ("normalize", "parquet_normalizer")
_MERGE_OPTIONS: Final = {
    "x-merge-source-filter": "source_filter",
    "x-merge-destination-scope": "destination_scope",
    "x-boundary-timestamp": "boundary_timestamp",
}
_COLUMN_HINTS: Final = {
    "primary_key": f"The key is {KEY}. For unique rows of another column, make a view.",
    "merge_key": "It would delete the chats that a walk didn't read. Rows are merged on id.",
    "row_key": _NO_HINT,
    "hard_delete": "What is gone at the source is deleted by the source. To keep chats out, use "
    "source.chats.add_filter(...).",
    "dedup_sort": "Leave it out: a run hands over a chat once, as it was last seen.",
}


def checked(walk: _Walk) -> _Walk:
    """The resource's function, with its incremental checked when dlt calls it.

    That is before dlt binds it, where `lag` meets a start date that is text, and fails.
    """

    @wraps(walk)
    def chats(timestamp: dlt.sources.incremental[datetime]) -> Iterator[Any]:
        _refuse(_of_incremental(timestamp))
        return _in_dlts_loop(walk(timestamp))

    return chats


def _in_dlts_loop(items: Iterator[Any]) -> Iterator[Any]:
    """Give dlt all items as one that it goes through itself.

    For a `parallelize()`d resource each item is fetched in another thread, out of step with what
    comes of the item before it. An iterator among the items is gone through in dlt's own loop.
    """
    try:
        yield items
        while getgeneratorstate(items) != GEN_CLOSED:  # type: ignore[arg-type]
            yield None  # a limit closes this one
    finally:
        items.close()  # type: ignore[attr-defined]


def check_hints(source: DltSource, resource: DltResource) -> None:
    """Refuse the first hint that couldn't be heeded.

    Raises:
        PostpressArgumentError: It is named, with what to do instead.
    """
    _refuse(_of_resource(source, resource))


def _refuse(refusals: Iterator[_Refusal]) -> None:
    for hint, instead in refusals:
        raise PostpressArgumentError(f"{hint} isn't possible on chats", next_step=instead)


def _of_incremental(timestamp: dlt.sources.incremental[datetime]) -> Iterator[_Refusal]:
    if timestamp.cursor_path != "timestamp":
        yield f"incremental({timestamp.cursor_path!r})", 'The cursor must be "timestamp".'
    if timestamp.last_value_func is not max:
        yield "incremental(last_value_func=...)", "It must be max: lists are newest first."
    if timestamp.lag:
        yield (
            "incremental(lag=...)",
            "Use postpress_source(lookback=...), a timedelta or a duration such as PT1H.",
        )
    if timestamp.row_order is not None:
        yield (
            f"incremental(row_order={timestamp.row_order!r})",
            "Leave it out: the source stops at known ground by itself, while the order is seen "
            "to hold.",
        )
    if timestamp.on_cursor_value_missing == "exclude":
        yield (
            'incremental(on_cursor_value_missing="exclude")',
            "Chats without a timestamp are always kept. Leave it out, and such rows out of the "
            "query: WHERE timestamp IS NOT NULL.",
        )
    key = timestamp.primary_key
    if key and key != KEY and (callable(key) or list(key) != [KEY]):
        yield "incremental(primary_key=...)", f"Leave it out: the key is {KEY}."


def _of_resource(source: DltSource, resource: DltResource) -> Iterator[_Refusal]:
    if resource.has_dynamic_table_name:  # without which dlt takes no other either
        yield "table_name as a function", "Give the table one name."
    if 0 in (source.max_table_nesting, resource.max_table_nesting) and not _is_flat():
        yield (
            "max_table_nesting=0",
            "Where the arrays land is the destination's matter, see docs/destinations.md. Drop "
            "their columns in a map, or don't read their tables.",
        )
    if resource.nested_hints:
        yield "nested_hints=...", "Cast and name what is in the array tables in a view."
    table = resource.compute_table_schema()
    yield from _of_run(table)
    if table.get("parent"):
        yield "parent_table_name=...", "Leave it out: chats is a table of its own."
    yield from _of_disposition(table)
    yield from _of_columns(table)


def _of_run(table: TTableSchema) -> Iterator[_Refusal]:
    """What is said beside the resource's hints: steps, settings, formats."""
    steps = cast(Pipe, get_current_pipe()).steps
    if any(map(_selects_tables, steps)):
        yield "select_tables(...)", "The tables belong together. Leave it out, and don't read them."
    normalizer = resolve_configuration(ItemsNormalizerConfiguration(), sections=_NORMALIZER)
    for setting in ("add_dlt_id", "add_dlt_load_id"):
        if getattr(normalizer, setting):
            yield (
                ".".join((*_NORMALIZER, setting)),
                f"The rows have {KEY}, _dlt_id and _dlt_load_id of their own where they need them. "
                "Set it for the pipelines that need it, by name: "
                "[<pipeline name>.normalize.parquet_normalizer].",
            )
    if table.get("write_disposition") == "replace" and any(
        isinstance(step, LimitItem) for step in steps
    ):
        yield "replace with add_limit(...)", "It would take away all others. Load with merge."
    if table.get("file_format") == "csv" and csv_empties_texts():
        yield (
            'loader_file_format="csv"',
            "By way of CSV every empty text would become null here. Leave it out.",
        )


def _selects_tables(step: Any) -> bool:
    """Whether it is the filter by the name of an item's table; chats have none."""
    name: str = getattr(getattr(step, "_f_meta", None), "__qualname__", "")
    return name.startswith("DltResource.select_tables.")


def _is_flat() -> bool:
    """Whether the destination itself asks dlt for no nested tables, as functions do."""
    capabilities = capabilities_of_destination()
    return capabilities is not None and capabilities.max_table_nesting == 0


def _of_disposition(table: TTableSchema) -> Iterator[_Refusal]:
    hints: dict[str, Any] = {**table}
    strategy = hints.get("x-merge-strategy")
    if strategy not in (None, *STRATEGIES):
        yield (
            f"The merge strategy {strategy}",
            "Leave the strategy out: the source takes the best that the destination offers. "
            f"{', '.join(STRATEGIES)} are taken, too.",
        )
    for hint, argument in _MERGE_OPTIONS.items():
        if hints.get(hint):
            yield f"{argument}=... in write_disposition", _NO_HINT
    if any(column.get("x-row-version") for column in table["columns"].values()):
        yield "row_version_column_name=... in write_disposition", _NO_HINT
    if table.get("write_disposition") == "skip":
        yield (
            'write_disposition="skip"',
            "To load nothing, leave the source out of the run, or set "
            "source.chats.selected = False.",
        )


def _of_columns(table: TTableSchema) -> Iterator[_Refusal]:
    columns = table["columns"]
    ours = {"primary_key": {KEY}, "row_key": {KEY}}
    for hint, instead in _COLUMN_HINTS.items():
        hinted = {name for name, column in columns.items() if column.get(hint)}
        if hinted != ours.get(hint, set()):
            yield f"{hint}={', '.join(sorted(hinted)) or None}", instead
    for name, column in CHATS.items():
        mine = columns.get(name, column)
        for hint in ("data_type", "nullable"):
            if mine.get(hint, column[hint]) != column[hint]:  # type: ignore[literal-required]
                yield (
                    f"{hint}={mine[hint]!r} for the column {name}",  # type: ignore[literal-required]
                    f"It is {column[hint]!r}, as documented. Cast it in a view, or in a map to a "  # type: ignore[literal-required]
                    "column of another name.",
                )
