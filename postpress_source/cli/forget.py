"""`postpress forget`: no table has anything more of a chat, or of an account and all its chats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import dlt
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.job_client_impl import SqlJobClientBase

from postpress_source.chats.columns import NAMES
from postpress_source.cli import warehouse
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode, Failure
from postpress_source.cli.screen import Screen

_IDS_A_QUERY: Final = 500
_TEXTS: Final = ("whole_accounts", "error", "next_step")
"""Of the ledger: they may name accounts beside the row's own."""


Statement = tuple[str, Sequence[str | None]]
"""SQL and its parameters."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Rows of a table that are to go, by a column's values.

    Attributes:
        table: Its name, for a person.
        condition: FROM and WHERE, with a mark for each value.
        values: The column's.
    """

    table: str
    condition: str
    values: Sequence[str]

    @classmethod
    def of(cls, client: Any, table: str, column: str, values: Sequence[str]) -> Trace:
        """The rows of a table whose column has one of these values."""
        name, marks = client.make_qualified_table_name(table), ", ".join(["%s"] * len(values))
        where = f"{client.escape_column_name(column)} IN ({marks})"
        return cls(table, f"FROM {name} WHERE {where}", values)


def forget(
    choice: Choice,
    chats: Collection[str],
    accounts: Collection[str],
    screen: Screen,
    *,
    dry_run: bool,
) -> ExitCode:
    """Delete every row of these chats and accounts, or count them."""
    if not chats and not accounts:
        raise CommandError(
            Failure(
                "NothingNamed",
                "Nothing was named to forget.",
                ExitCode.USAGE,
                next_step="--chat ID, --account ID; each may be repeated.",
            )
        )
    pipeline = warehouse.open_pipeline(choice)
    _check(choice, pipeline)
    with pipeline.sql_client() as client:
        rows = _forget(client, set(chats), sorted(accounts), dry_run=dry_run)
    document = {
        "ok": True,
        "exit_code": int(ExitCode.OK),
        "dry_run": dry_run,
        "location": warehouse.location(pipeline),
        "dataset": pipeline.dataset_name,
        "rows": rows,
    }
    screen.document(document)
    done = "rows that would go" if dry_run else "rows deleted"
    if not rows:
        screen.say("Nothing is there of what was named.")
        return ExitCode.OK
    screen.table(("table", done), rows.items())
    if not dry_run:
        screen.say("", "What the API still lists comes back with the next run that reads it.")
    return ExitCode.OK


def _check(choice: Choice, pipeline: dlt.Pipeline) -> None:
    file = warehouse.duckdb_file(pipeline)
    if file is not None and not file.exists():
        raise CommandError(warehouse.nothing_loaded(choice, pipeline))
    if not issubclass(pipeline.destination.client_class, SqlJobClientBase):
        raise CommandError(
            Failure(
                "Files",
                f"{pipeline.destination.destination_name} keeps files, out of which no row can be "
                "deleted from here.",
                ExitCode.MEND,
                next_step="Write the files anew without these rows, as docs/history.md shows; or "
                "delete the dataset's folder and run again, without what was.",
            )
        )
    if pipeline.has_pending_data:
        raise CommandError(
            Failure(
                "Pending",
                "An interrupted run has left chats behind, which the next run loads first.",
                ExitCode.MEND,
                next_step=f"postpress run{choice.options()}, then forget.",
            )
        )


def _forget(
    client: Any, chats: set[str], accounts: Sequence[str], *, dry_run: bool
) -> dict[str, int]:
    """The rows that were found, by table; none is left, unless it was to be tried only."""
    datasets = {"": nullcontext, " (staging)": client.with_staging_dataset}
    for dataset in datasets.values():
        with dataset():
            chats |= _chats_of(client, accounts)
    rows: dict[str, int] = {}
    for suffix, dataset in datasets.items():
        with dataset():
            found, statements = _find(client, sorted(chats), accounts)
            rows |= {f"{name}{suffix}": count for name, count in found.items()}
            with nullcontext() if dry_run else _transaction(client):
                for statement, values in () if dry_run else statements:
                    client.execute_sql(statement, *values)
    return rows


def _find(
    client: Any, chats: Sequence[str], accounts: Sequence[str]
) -> tuple[Counter[str], list[Statement]]:
    """The rows that are there, by table, and the statements after which they aren't."""
    rows, statements = Counter[str](), list[Statement]()
    for trace in _traces(client, chats, accounts):
        found = _select(client, "COUNT(*)", trace)
        if found is not None:
            ((count,),) = found
            rows[trace.table] += count
            statements += [(f"DELETE {trace.condition}", trace.values)] if count else []
    texts = [*_texts(client, accounts)]
    rows += Counter({f"{NAMES.walks}, texts": len(texts)})
    return rows, statements + texts


def _transaction(client: Any) -> AbstractContextManager[Any]:
    able = client.capabilities.supports_transactions
    context: AbstractContextManager[Any] = client.begin_transaction() if able else nullcontext()
    return context


def _chats_of(client: Any, accounts: Sequence[str]) -> set[str]:
    found: set[str] = set()
    distinct = f"DISTINCT {client.escape_column_name('id')}"
    for table in (NAMES.chats, NAMES.history) if accounts else ():
        trace = Trace.of(client, table, "account_id", accounts)
        found |= {row[0] for row in _select(client, distinct, trace) or ()}
    return found


def _traces(client: Any, chats: Sequence[str], accounts: Sequence[str]) -> Iterator[Trace]:
    """All rows that may be there, each once; an account's chats are named by their ids."""
    for table in (*NAMES.arrays.values(), NAMES.chats, NAMES.history):
        column = "id" if table in (NAMES.chats, NAMES.history) else "chat_id"
        for at in range(0, len(chats), _IDS_A_QUERY):
            yield Trace.of(client, table, column, chats[at : at + _IDS_A_QUERY])
    for table in (NAMES.walk_accounts, NAMES.walks) if accounts else ():
        yield Trace.of(client, table, "account_id", accounts)


def _select(client: Any, columns: str, trace: Trace) -> Any:
    """The rows that a query gives; None where there is no table."""
    try:
        return client.execute_sql(f"SELECT {columns} {trace.condition}", *trace.values) or ()
    except DatabaseUndefinedRelation:
        return None


def _texts(client: Any, accounts: Sequence[str]) -> Iterator[Statement]:
    """The statements that take accounts out of the texts of walks of several."""
    if not accounts:
        return
    table = client.make_qualified_table_name(NAMES.walks)
    own = client.escape_column_name("account_id")
    anyone = "|".join(map(re.escape, accounts))
    named = re.compile(rf"(?<![\w-])(?:{anyone})(?![\w-])")
    marks = ", ".join(["%s"] * len(accounts))
    for column in map(client.escape_column_name, _TEXTS):
        others = f"{column} IS NOT NULL AND ({own} IS NULL OR {own} NOT IN ({marks}))"
        query = f"SELECT DISTINCT {column} FROM {table} WHERE {others}"  # noqa: S608
        try:
            found = client.execute_sql(query, *accounts) or ()
        except DatabaseUndefinedRelation:
            return
        for (text,) in found:
            if named.search(text):
                left = re.sub(r",(?=,|$)|^,", "", named.sub("", text)).lstrip(",") or None
                yield f"UPDATE {table} SET {column} = %s WHERE {column} = %s", [left, text]  # noqa: S608
