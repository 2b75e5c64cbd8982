"""How rows land: the shape of the arrays and the merge, by what the destination says it can do.

Tables that don't exist yet are appended to: half the work, for there is nothing to merge with.
After that:

the destination's merge offers     arrays                     chats that are gone
cdc (DuckDB, PostgreSQL, ...)      tables of their own        deleted
delete-insert (SQLite, ...)        tables of their own        deleted
cdc without delete-insert (Delta)  list columns in chats      deleted
upsert only (Iceberg)              list columns in chats      stay
nothing (plain files)              list columns in chats      every version is appended

What is to be deleted is said chat by chat. In SQL destinations it is a staged row, a tombstone,
that deletes the row with its id and never lands itself; in Delta tables a list of ids.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, cast

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.configuration.container import Container
from dlt.common.data_writers.writers import resolve_best_writer_spec
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.common.schema.typing import TPartialTableSchema
from dlt.extract import DltResource
from dlt.extract.items_transform import FilterItem, MapItem, YieldMapItem

from postpress_source.chats.columns import ARRAY_TABLES, LEDGER
from postpress_source.chats.tables import CHATS as CHATS_ARROW
from postpress_source.chats.tables import TEXT, split_lists
from postpress_source.errors import PostpressArgumentError

_TOMBSTONE: Final = "gone"  # no JSON object, as all else in `extra` is
_NO_TOMBSTONE: Final = f"extra IS NULL OR extra <> '{_TOMBSTONE}'"
_STAGED: Final = "id IN (SELECT id FROM {staging_table})"
_STAGED_TOMBSTONES: Final = f"id IN (SELECT id FROM {{staging_table}} WHERE extra = '{_TOMBSTONE}')"  # noqa: S608
_NOTHING: Final = "1 = 0"
_STRATEGIES: Final = ("cdc", "delete-insert", "upsert")
# A colon only behind a word character: elsewhere SQLAlchemy takes it for a bound parameter.
_PLAIN_ID: Final = re.compile(r"(?:[\w.@=+/-]|(?<=\w):){1,200}", re.ASCII)
_REFUSES_NUL: Final = frozenset({"postgres", "redshift"})
"""SQL dialects whose text can't hold the character NUL: the load would fail for good."""


class Landing:
    """Hands tables to dlt in the shape that the current destination keeps exact.

    To be used inside the running resource.

    Args:
        load_id: The load package.
        no_table: Whether the destination certainly has no `chats` yet. That the schema has none
            doesn't say so: another pipeline may have made it, or the schema wasn't restored.
        replaces: Whether chats that are there twice are to be there once.

    Attributes:
        rows: How many rows were handed over, by table; empty if nothing was.
        appends: Whether they are appended, to tables that didn't exist.
        has_steps: Whether the user maps or filters what is handed over, tombstones as well.
    """

    def __init__(self, load_id: str, *, no_table: bool = False, replaces: bool = False) -> None:
        self._resource = dlt.current.resource()
        chosen = self._resource.compute_table_schema()
        self._disposition = chosen.get("write_disposition")
        _refuse_strategy(chosen.get("x-merge-strategy"))
        self._schema: Schema = dlt.current.source_schema()
        self._strategies = merge_strategies(self._resource)
        self._array_tables = self._strategies is None or "delete-insert" in self._strategies
        self._load_id = load_id
        self._first_load = "chats" not in self._schema.tables
        self.appends = (
            self._first_load
            and no_table
            and self._disposition == "merge"
            and {"cdc", "delete-insert"} <= set(self._strategies or ())
        )
        self._replaces = replaces
        self._refuses_nul = _refuses_nul()
        self.has_steps = _has_steps(self._resource)
        self._by_tombstones = self._array_tables and not self.has_steps
        self.rows: Counter[str] = Counter()
        self._file_formats = _file_formats(self._resource)
        self._chosen: set[str] = set()
        if self._array_tables:
            _add_array_tables(self._schema)
            for name in ARRAY_TABLES:
                self._resource.apply_hints(
                    table_name=name,
                    write_disposition=self._resource.write_disposition,
                    create_table_variant=True,
                )
        self._choose_merge()

    def hand_over(self, tables: Iterable[pa.Table]) -> Iterator[Any]:
        """The items to yield for tables of chats with their lists; nothing for no tables."""
        for table in tables:
            yield from self._items(self._split(table))
        if self._first_load and not self.rows:
            yield from self._items(self._split(CHATS_ARROW.empty_table()))

    def hand_over_ledger(self, table: pa.Table) -> Any:
        """The item to yield for rows of the ledger."""
        table_format = self._resource.compute_table_schema().get("table_format")
        if table_format:
            self._resource.apply_hints(
                table_name=LEDGER, table_format=table_format, create_table_variant=True
            )
        self._choose_files(LEDGER)
        return dlt.mark.with_table_name(table, LEDGER)

    def create_again(self, tables: Iterable[str]) -> None:
        """Have tables created that were dropped behind dlt's back.

        dlt compares tables with its schema only when the schema has changed.
        """
        for name in tables:
            of = {"parent": "chats"} if name in ARRAY_TABLES else {"resource": "chats"}
            _update_table(self._schema, name=name, **of, **{"x-created-again-by": self._load_id})

    @property
    def replaces_all(self) -> bool:
        """Whether what is handed over takes the place of all that the tables have."""
        return self._disposition == "replace"

    @property
    def can_delete(self) -> bool:
        """Whether rows can be deleted: by the merge, unless the user has chosen otherwise."""
        merges = self._disposition == "merge" and not self.appends
        return merges and not {"cdc", "delete-insert"}.isdisjoint(self._strategies or ())

    def hand_over_gone(self, chat_ids: Collection[str]) -> Iterator[Any]:
        """The items to yield, last of all, so that these chats are deleted, where `can_delete`."""
        gone = sorted(chat_ids) if self.can_delete else []
        if gone and self._by_tombstones:
            rows = [{"id": chat_id, "extra": _TOMBSTONE} for chat_id in gone]
            yield from self._items(self._split(pa.Table.from_pylist(rows, CHATS_ARROW)))
        # once more: what has been yielded brought the resource's own hints into the schema
        self._choose_merge(gone)

    def _split(self, table: pa.Table) -> dict[str, pa.Table]:
        """The rows of each table, as the destination takes them."""
        load_ids = pa.repeat(self._load_id, table.num_rows)
        table = table.append_column("_dlt_load_id", load_ids)
        tables = split_lists(table) if self._array_tables else {"chats": table}
        if self._refuses_nul:
            return {name: _without_nul(rows) for name, rows in tables.items()}
        return tables

    def _items(self, parts: dict[str, pa.Table]) -> Iterator[Any]:
        first = not self.rows
        # Arrays before their chats: what is cut off in between, by a limit, then lacks news; the
        # other way round the merge would take the arrays for emptied.
        for name, rows in reversed(parts.items()):
            # the first one even if empty: the merge looks for what is no longer there
            if rows.num_rows or first:
                self.rows[name] += rows.num_rows
                self._choose_files(name, empty=not rows.num_rows)
                yield rows if name == "chats" else dlt.mark.with_table_name(rows, name)

    def _choose_files(self, table: str, *, empty: bool = False) -> None:
        if self._file_formats is None or table in self._chosen:
            return
        self._chosen.add(table)
        hints: dict[str, Any] = {"file_format": self._file_formats[empty]}
        if table != "chats":
            hints |= {"table_name": table, "create_table_variant": True}
        self._resource.apply_hints(**hints)

    def _selects(self, gone: Sequence[str]) -> str:
        """The condition that selects the rows of these chats: by their tombstones, or by id."""
        if self._by_tombstones:
            return _STAGED_TOMBSTONES
        quoted = ", ".join(f"'{chat_id}'" for chat_id in gone if _PLAIN_ID.fullmatch(chat_id))
        # Delta's merge knows both sides' id; BigQuery can't qualify a column by a path.
        column = "id" if self._array_tables else "{table}.id"
        return f"{column} IN ({quoted})" if quoted else _NOTHING

    def _choose_merge(self, gone: Sequence[str] = ()) -> None:
        if self._disposition != "merge":
            return  # the user's own choice stands
        if self.appends:
            hints: dict[str, Any] = {"write_disposition": "append"}
        else:
            strategies = ["delete-insert"] if self._replaces else self._strategies
            merge = _merge_hints(strategies or (), self._selects(gone), by_sql=self._array_tables)
            hints = {"write_disposition": "merge", **merge}
        _update_table(self._schema, name="chats", resource="chats", **hints)
        disposition = hints["write_disposition"]
        for name in ARRAY_TABLES if self._array_tables else ():
            _update_table(self._schema, name=name, parent="chats", write_disposition=disposition)


def _refuse_strategy(chosen: Any) -> None:
    """Refuse a merge that would take a part of the list for the whole, or keep what is stale."""
    if chosen not in (None, *_STRATEGIES):
        raise PostpressArgumentError(
            f"The merge strategy {chosen} doesn't work on this source",
            next_step="Leave the strategy out: the source takes the best that the destination "
            f"offers. {', '.join(_STRATEGIES)} are taken, too.",
        )


def _merge_hints(strategies: Collection[str], gone: str, *, by_sql: bool) -> dict[str, Any]:
    """The table hints of the best merge on offer. `gone` selects the rows to delete."""
    skip: dict[str, Any] = {"x-merge-source-filter": _NO_TOMBSTONE} if by_sql else {}
    if "cdc" in strategies:
        return skip | {
            "x-merge-strategy": "cdc",
            "x-merge-skip-unchanged-rows": True,
            "x-merge-destination-scope": gone,
        }
    if "delete-insert" in strategies:
        return skip | {
            "x-merge-strategy": "delete-insert",
            "x-stage-data-deduplicated": True,
            "x-merge-destination-scope": f"{_STAGED} OR {gone}",
        }
    return {"x-merge-strategy": "upsert"} if "upsert" in strategies else {}


def _has_steps(resource: DltResource) -> bool:
    steps = resource._pipe.steps  # noqa: SLF001 - there is no public way to see them
    return any(isinstance(step, FilterItem | MapItem | YieldMapItem) for step in steps)


def _capabilities() -> DestinationCapabilitiesContext | None:
    """What the pipeline's destination can do; None without one."""
    container = Container()
    if DestinationCapabilitiesContext not in container:
        return None
    return container[DestinationCapabilitiesContext]


def _file_formats(resource: DltResource) -> tuple[str, str] | None:
    """The kind of files for tables with rows and without; None: leave it to dlt.

    It isn't left to dlt where it chooses CSV, by way of which every empty text becomes null (dlt
    1.31, `PostgresCsvCopyJob`). PostgreSQL takes Parquet where the driver of the extra `postgres`
    is installed, though none without rows (dlt 1.31, `AdbcParquetCopyJob`), and SQL inserts else.
    """
    capabilities = _capabilities()
    table = resource.compute_table_schema()
    if capabilities is None or "file_format" in table:
        return None
    preferred = capabilities.preferred_loader_file_format
    supported = capabilities.supported_loader_file_formats
    select = capabilities.loader_file_format_selector
    if select is not None:
        preferred, supported = select(preferred, list(supported), table_schema=table)
    if "csv" not in supported:
        return None
    if resolve_best_writer_spec("arrow", supported, preferred).file_format != "csv":
        return None
    return ("parquet" if "parquet" in supported else preferred), preferred


def _refuses_nul() -> bool:
    capabilities = _capabilities()
    return capabilities is not None and capabilities.sqlglot_dialect in _REFUSES_NUL


def _without_nul(table: pa.Table) -> pa.Table:
    """The table with U+FFFD in place of each NUL in its texts."""
    for index, field in enumerate(table.schema):
        if field.type == TEXT:
            mended = pc.replace_substring(table.column(index), "\0", "\ufffd")
            table = table.set_column(index, field, mended)
    return table


def merge_strategies(resource: DltResource) -> list[str] | None:
    """What the destination's merge offers for the resource's table; None without a destination."""
    capabilities = _capabilities()
    if capabilities is None:
        return None
    supported = list(capabilities.supported_merge_strategies or ())
    select = capabilities.merge_strategies_selector
    if select is not None:
        supported = list(select(supported, table_schema=resource.compute_table_schema()))
    return [str(strategy) for strategy in supported]


class _NestedTable(dict[str, Any]):
    """A nested table of the schema that can say which resource it comes from.

    dlt's extract step looks up `resource` of every table that got data, which a nested table has
    not (dlt 1.31, `Extract._compute_metrics`), and forbids to set it.
    """

    def __missing__(self, key: str) -> str:
        if key == "resource":
            return "chats"
        raise KeyError(key)


def _update_table(schema: Schema, **table: Any) -> None:
    schema.update_table(cast(TPartialTableSchema, {"columns": {}, **table}))


def _add_array_tables(schema: Schema) -> None:
    _update_table(schema, name="chats", resource="chats")
    for name, columns in ARRAY_TABLES.items():
        named = {column: {"name": column, **hints} for column, hints in columns.items()}
        _update_table(schema, name=name, parent="chats", columns=named)
        schema.tables[name] = _NestedTable(schema.tables[name])  # type: ignore[assignment]
