"""What the destination has, as far as a run has to know. To be used inside the running resource.

Asking changes nothing. A destination that can't be asked from where the source runs gives None, and
then nothing is deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.destination.client import SupportsOpenTables
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema import Schema
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.sql_client import SqlClientBase

from postpress_source.walks.spool import KEYS

logger = logging.getLogger("postpress_source")

_Answer = TypeVar("_Answer")
_CHUNK_ROWS: Final = 20_000
_VALUES_A_QUERY: Final = 500


class Table:
    """The table `chats` of the pipeline's destination."""

    def __init__(self) -> None:
        self.filtered = False  # whether the user keeps rows out of it
        self._schema: Schema = dlt.current.source_schema()

    def ask(self, question: Callable[[Any], _Answer]) -> _Answer | None:
        """What a function of the destination's client returns; None if it can't be asked."""
        try:
            with self._client() as client:
                return question(client)
        except Exception as error:  # drivers' own, where dlt doesn't wrap them
            if _is_interrupt(error):
                raise
            logger.info("The destination can't be asked from here: %s", type(error).__name__)
            return None

    @contextmanager
    def _client(self) -> Iterator[Any]:
        # not the public sql_client(): the pipeline doesn't know a schema this new
        client = dlt.current.pipeline()._get_destination_clients(self._schema)[0]  # noqa: SLF001
        with client:
            yield client

    def keys(self, accounts: Collection[str], account_type: str | None) -> pa.Table | None:
        """`id` and `account_id` of the rows of these accounts, of this type where one is given."""
        of_type = {} if account_type is None else {"account_type": [account_type]}
        if len(accounts) <= _VALUES_A_QUERY:
            return self.ask(lambda client: _keys(client, {"account_id": accounts, **of_type}))
        table = self.ask(lambda client: _keys(client, of_type))
        if table is None:
            return None
        wanted = pa.array(sorted(accounts), KEYS.field("account_id").type)
        return table.filter(pc.is_in(table["account_id"], wanted))

    def has_all(self, chat_ids: Iterable[str]) -> bool | None:
        """Whether there is a row for each of these ids."""
        if self.filtered:
            return None
        ids = sorted(set(chat_ids))
        parts = [ids[at : at + _VALUES_A_QUERY] for at in range(0, len(ids), _VALUES_A_QUERY)]
        found = self.ask(lambda client: [_keys(client, {"id": part}) for part in parts])
        if found is None:
            return None
        return len({key for keys in found for key in keys["id"].to_pylist()}) == len(ids)


def _keys(client: Any, values: Mapping[str, Collection[str]]) -> pa.Table:
    """The keys of the rows whose columns have one of these values each."""
    if isinstance(client, SupportsOpenTables) and client.is_open_table("delta", "chats"):
        return _keys_of_delta(client, values)
    sql: SqlClientBase[Any] = client.sql_client
    columns = ", ".join(map(sql.escape_column_name, KEYS.names))
    conditions = [
        f"{sql.escape_column_name(column)} IN ({', '.join(['%s'] * len(allowed))})"
        for column, allowed in values.items()
    ]
    where = " WHERE " + " AND ".join(conditions) if conditions else ""
    query = f"SELECT {columns} FROM {sql.make_qualified_table_name('chats')}{where}"  # noqa: S608
    asked = [value for allowed in values.values() for value in allowed]
    batches = []
    try:
        with sql.execute_query(query, *asked) as cursor:
            while rows := cursor.fetchmany(_CHUNK_ROWS):
                arrays = map(pa.array, zip(*rows, strict=True), KEYS.types)
                batches.append(pa.RecordBatch.from_arrays(list(arrays), schema=KEYS))
    except DatabaseUndefinedRelation:
        pass  # no table, no rows
    return pa.Table.from_batches(batches, KEYS)


def _keys_of_delta(client: SupportsOpenTables, values: Mapping[str, Collection[str]]) -> pa.Table:
    """The same of a Delta table, which DuckDB can read only with an extension to download."""
    condition = None
    for column, allowed in values.items():
        one_of = pc.field(column).isin(list(allowed))
        condition = one_of if condition is None else condition & one_of
    try:
        delta = client.load_open_table("delta", "chats")
    except DestinationUndefinedEntity:
        return KEYS.empty_table()
    return delta.to_pyarrow_dataset().to_table(KEYS.names, condition).cast(KEYS)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it comes from Ctrl-C, which DuckDB turns into a RuntimeError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
