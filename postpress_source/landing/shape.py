"""In which shape rows land: tables, arrays and merge, by what the destination says it can do.

Tables that don't exist yet are appended to: half the work, for there is nothing to merge with.
After that:

the destination's merge offers     arrays                     chats that are gone   history
cdc (DuckDB, PostgreSQL, ...)      tables of their own        deleted               scd2
delete-insert (SQLite, ...)        tables of their own        deleted               scd2
cdc without delete-insert (Delta)  list columns in chats      deleted               appended
upsert only (Iceberg)              list columns in chats      stay                  appended
nothing (plain files)              list columns in chats      stay; changes are appended, both

What is to be deleted is said chat by chat. In SQL destinations it is a staged row, a tombstone,
that deletes the row with its id and never lands itself; in Delta tables a list of ids.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast

import dlt
import yaml
from dlt.common.schema import Schema
from dlt.common.schema.typing import TPartialTableSchema

from postpress_source.chats.columns import (
    ARRAYS,
    CHAT_WALKS,
    HISTORY,
    WALK_ACCOUNTS,
    TableNames,
)
from postpress_source.chats.versions import VERSION
from postpress_source.landing.destination import (
    capabilities_of_destination,
    file_format,
    file_formats,
    merge_strategies,
)

TOMBSTONE: Final = "gone"  # no JSON object, as all else in `extra` is
# A colon only behind a word character: elsewhere SQLAlchemy takes it for a bound parameter.
_PLAIN_ID: Final = re.compile(r"(?:[\w.@=+/-]|(?<=\w):){1,200}", re.ASCII)
_NOTHING: Final = "1 = 0"


class Shape:
    """The tables that a run fills, as dlt's schema has them. To be used inside the resource.

    Attributes:
        names: What the tables are called.
        disposition: The user's, or merge.
        array_tables: Whether the lists become tables; else they are columns of `chats`.
        versions_apart: Whether history is appended to, and a view tells what is current.
        appended: Whether `chats` itself is: the newest row of a chat is what it is.
        can_delete: Whether rows of chats can be deleted: by the merge, unless the user has chosen
            otherwise.
        lists_as_columns: Whether lists that are no tables stay lists; else they are JSON text.
        is_discarded: Whether a schema contract keeps the tables from being made.
        appends: Whether the tables are new, and appended to.
        history_is_new: Whether there certainly is no `chats_history` yet.
    """

    def __init__(self) -> None:
        self._resource = dlt.current.resource()
        self._schema: Schema = dlt.current.source_schema()
        chosen = self._resource.compute_table_schema()
        self.names = TableNames.of(str(chosen["name"]), self._schema.naming.normalize_tables_path)
        self.disposition = str(chosen.get("write_disposition"))
        self._strategies = merge_strategies(self._resource)
        self.array_tables = self._strategies is None or "delete-insert" in self._strategies
        self.versions_apart = self._strategies is not None and "scd2" not in self._strategies
        self.appended = self._strategies is not None and not self._strategies
        deletes = not {"cdc", "delete-insert"}.isdisjoint(self._strategies or ())
        self.can_delete = self.disposition == "merge" and deletes
        self.is_new = self.names.chats not in self._schema.tables
        contract = self._schema.resolve_contract_settings_for_table(self.names.chats, chosen)
        self.is_discarded = self.is_new and str(contract["tables"]).startswith("discard")
        self._file_formats = file_formats(self._resource)
        csv = file_format(self._resource) == "csv"
        self.lists_as_columns = self.array_tables or not csv
        self._chosen: set[str] = set()
        self.appends = False

    def normalize(self, name: str) -> str:
        """A column's name, as the schema has it."""
        return self._schema.naming.normalize_identifier(name)

    def column(self, name: str) -> str:
        """A column's name in SQL, normalized and escaped."""
        capabilities = capabilities_of_destination()
        escape = capabilities.escape_identifier if capabilities else None
        return escape(self.normalize(name)) if escape else self.normalize(name)

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """The columns that merges look rows up by, of each table."""
        names = self.names
        keys = {
            names.chats: ("id",),
            names.history: ("id", VERSION),
            **dict.fromkeys(names.arrays.values(), ("chat_id",)),
            names.walks: (),
            names.walk_accounts: (),
        }
        return {table: tuple(map(self.normalize, columns)) for table, columns in keys.items()}

    # --- what dlt is told of the tables ----------------------------------------------------------

    def describe(self, *, new: bool, new_history: bool, history: bool) -> None:
        """Tell dlt what the tables beside `chats` are.

        Args:
            new: Whether the destination certainly has no `chats` yet. That the schema has none
                doesn't say so: another pipeline may have made it, or it wasn't restored.
            new_history: Whether it certainly has no `chats_history` yet.
            history: Whether history is kept.
        """
        self.history_is_new = new_history
        if self.array_tables:
            self._describe_arrays()
        self._describe(self.names.walks, "append", CHAT_WALKS)
        self._describe(self.names.walk_accounts, "append", WALK_ACCOUNTS)
        if history:
            appended = new_history or self.versions_apart
            disposition = "append" if appended else self._scd2()
            self._describe(self.names.history, disposition, HISTORY)
        self.appends = (
            new
            and self.is_new
            and self.disposition == "merge"
            and {"cdc", "delete-insert"} <= set(self._strategies or ())
        )

    def _describe(self, name: str, disposition: Any, columns: Any, parent: str = "") -> None:
        """A table's hints: those of `chats` (a contract, a format), with columns of its own."""
        for own in (dict[str, Any](), columns):  # the first call takes away those of `chats`
            self._resource.apply_hints(
                table_name=name,
                parent_table_name=parent,
                write_disposition=disposition,
                columns=own,
                primary_key="",
                create_table_variant=True,
            )

    def _scd2(self) -> dict[str, Any]:
        """History's merge: what a staged version or tombstone replaces is retired.

        Nothing else is; dlt's own scope of `scd2` would be all that isn't staged. The instant is
        the load package's (`sync.py`): given as a hint it stays in the schema, and later runs would
        take it for theirs.
        """
        capabilities = capabilities_of_destination()
        literal = capabilities.escape_literal if capabilities else None
        no: Any = literal(False) if literal else "false"  # noqa: FBT003 - dlt's
        return {
            "disposition": "merge",
            "strategy": "scd2",
            "row_version_column_name": "version",
            "validity_column_names": ["seen_from", "seen_until"],
            "source_filter": f"{self.column('gone')} = {no}",
            "destination_scope": self._staged(),
        }

    def _describe_arrays(self) -> None:
        update_table(self._schema, name=self.names.chats, resource=self._resource.name)
        for field, name in self.names.arrays.items():
            disposition = self._resource.write_disposition
            self._describe(name, disposition, ARRAYS[field], parent=self.names.chats)
            columns = {
                self.normalize(column): {**hints, "name": self.normalize(column)}
                for column, hints in ARRAYS[field].items()
            }
            # what a schema that was imported doesn't say, and without it no list is emptied
            seen = {} if self.is_new else {"x-normalizer": {"seen-data": True}}
            update_table(self._schema, name=name, parent=self.names.chats, columns=columns, **seen)
            self._schema.tables[name] = NestedTable(  # type: ignore[assignment]
                self._schema.tables[name], self._resource.name
            )

    def create_again(self, tables: Collection[str], load_id: str) -> None:
        """Have tables created that were dropped behind dlt's back.

        dlt compares tables with its schema only when the schema has changed.
        """
        for name in tables:
            nested = name in self.names.arrays.values()
            of = {"parent": self.names.chats} if nested else {"resource": self._resource.name}
            update_table(self._schema, name=name, **of, **{"x-created-again-by": load_id})

    def choose_files(self, table: str, *, empty: bool = False) -> None:
        """The kind of file for a table, where it isn't left to dlt."""
        if self._file_formats is None or table in self._chosen:
            return
        self._chosen.add(table)
        hints: dict[str, Any] = {"file_format": self._file_formats[empty]}
        if table != self.names.chats:
            hints |= {"table_name": table, "create_table_variant": True}
        self._resource.apply_hints(**hints)

    def write_inserts(self) -> None:
        """Have no Parquet written where SQL inserts could be."""
        if self._file_formats is not None:
            self._file_formats = (self._file_formats[1], self._file_formats[1])

    # --- the merge -------------------------------------------------------------------------------

    def choose_merge(self, gone: Sequence[str] = (), *, replaces: bool = False) -> None:
        """Tell dlt how `chats` lands. To be called again when all has been yielded.

        What is yielded brings the resource's own hints into the schema.

        Args:
            gone: Ids to delete, where tombstones can't say it.
            replaces: Whether chats that are there twice are to be there once.
        """
        if self.disposition != "merge":
            return  # the user's own choice stands
        hints: dict[str, Any] = {"write_disposition": "append"}
        if not self.appends:
            strategies = ["delete-insert"] if replaces else self._strategies
            hints = {"write_disposition": "merge", **self._merge(strategies or (), gone)}
        update_table(self._schema, name=self.names.chats, resource=self._resource.name, **hints)
        disposition = hints["write_disposition"]
        for name in self.names.arrays.values() if self.array_tables else ():
            update_table(
                self._schema, name=name, parent=self.names.chats, write_disposition=disposition
            )

    def _merge(self, strategies: Collection[str], gone: Sequence[str]) -> dict[str, Any]:
        """The table hints of the best merge on offer."""
        extra = self.column("extra")
        keep = f"{extra} IS NULL OR {extra} <> '{TOMBSTONE}'"
        skip: dict[str, Any] = {"x-merge-source-filter": keep} if self.array_tables else {}
        selected = self._selects(gone)
        if "cdc" in strategies:
            return skip | {
                "x-merge-strategy": "cdc",
                "x-merge-skip-unchanged-rows": True,
                "x-merge-destination-scope": selected,
            }
        if "delete-insert" in strategies:
            return skip | {
                "x-merge-strategy": "delete-insert",
                "x-merge-skip-unchanged-rows": False,
                "x-stage-data-deduplicated": True,
                "x-merge-destination-scope": f"{self._staged()} OR {selected}",
            }
        return {"x-merge-strategy": "upsert"} if "upsert" in strategies else {}

    def _staged(self, condition: str = "") -> str:
        chat_id = self.column("id")
        return f"{chat_id} IN (SELECT {chat_id} FROM {{staging_table}}{condition})"  # noqa: S608

    def _selects(self, gone: Sequence[str]) -> str:
        """The condition that selects the rows of chats that are gone."""
        if self.array_tables:
            return self._staged(f" WHERE {self.column('extra')} = '{TOMBSTONE}'")
        quoted = ", ".join(f"'{chat_id}'" for chat_id in gone if _PLAIN_ID.fullmatch(chat_id))
        # Delta's merge knows both sides' id
        return f"{{table}}.id IN ({quoted})" if quoted else _NOTHING


class NestedTable(dict[str, Any]):
    """A nested table of the schema that can say which resource it comes from.

    dlt's extract step looks up `resource` of every table that got data, which a nested table has
    not (dlt 1.31, `Extract._compute_metrics`), and forbids to set it.
    """

    def __init__(self, table: Mapping[str, Any], resource: str) -> None:
        super().__init__(table)
        self._resource = resource

    def __missing__(self, key: str) -> str:
        if key == "resource":
            return self._resource
        raise KeyError(key)


# dlt writes schemas as YAML: as any other table
yaml.add_representer(NestedTable, lambda dumper, table: dumper.represent_dict(table))


def update_table(schema: Schema, **table: Any) -> None:
    """Merge a part of a table into the schema."""
    schema.update_table(cast(TPartialTableSchema, {"columns": {}, **table}))
