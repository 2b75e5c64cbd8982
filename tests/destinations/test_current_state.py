"""The documented way to read the current state where nothing is merged, or nothing deleted."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from postpress_source.sandbox import generate_world
from tests.destinations.conftest import HOLD, Inbox
from tests.destinations.landed import inbox, landed
from tests.destinations.targets import BY_NAME, Place, Row, Target, duckdb_on

DOCUMENT = Path(__file__).parents[2] / "docs" / "destinations.md"
SQL = {
    match[1]: match[2]
    for match in re.finditer(r"```sql\n-- ([\w ]+)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
}
NOW = datetime(2026, 5, 17, 9, 42, 11, 123000, tzinfo=UTC)


def current_state(place: Place) -> dict[str, Row]:
    """What the documented view says."""
    with duckdb_on(place) as connection:
        folder = f"{place.bucket_url}/{place.dataset}".removeprefix("file://")
        if place.target.table_format == "iceberg":
            register_tables(connection, place, folder)
        else:
            connection.execute(SQL["files"].replace("inbox/postpress", folder))
        connection.execute(SQL["current state"])
        rows = connection.sql("FROM current_chats").to_arrow_table().to_pylist()
    return landed(place, rows)


def register_tables(connection: duckdb.DuckDBPyConnection, place: Place, folder: str) -> None:
    for table in ("chats", "chats_history"):
        connection.register(table, pa.Table.from_pylist(place.read(table)))
    loads = SQL["files"].split(";")[2].replace("inbox/postpress", folder)
    connection.execute(loads)


@pytest.mark.parametrize(
    "target", [BY_NAME[name].param for name in ("parquet", "s3-parquet", "iceberg")]
)
def test_the_view_is_the_inbox(target: Target, make_inbox: Callable[[Target], Inbox]) -> None:
    to = make_inbox(target)
    world = to.serve(generate_world(80, 3, now=NOW))
    to.run()
    accounts = list(world.accounts)
    for account in accounts:
        ids = [key for key in world.chat_ids if world.chat(key)["account_id"] == account]
        world.delete_chat(ids[0])
        world.refile(ids[1], ["moved", "here"])
        world.refile(ids[2], None)
    to.run()
    assert current_state(to.place) == inbox(world)
    to.run()
    assert current_state(to.place) == inbox(world)

    world.receive_message(world.chat_ids[0])
    to.run(HOLD)
    assert current_state(to.place) == inbox(world), "an appended head walk hides nothing"

    sick = accounts[0]
    kept = inbox(world)
    world.disconnect_account(sick)
    to.run(account_id=accounts)
    assert current_state(to.place) == kept, "a sick account's chats aren't gone"


def test_a_load_that_was_not_finished_hides_nothing(
    make_inbox: Callable[[Target], Inbox],
) -> None:
    to = make_inbox(BY_NAME["parquet"])
    world = to.serve(generate_world(30, 1, now=NOW))
    to.run()
    to.run()
    before = inbox(world)
    world.receive_message(world.chat_ids[0])
    to.run()
    newest = max(row["_dlt_load_id"] for row in to.place.read("chats"))
    for file in to.place.folder.rglob(f"*{newest}*"):
        if file.parent.name in {"chats_history", "_dlt_loads"}:
            file.unlink()
    assert current_state(to.place) == before


def test_a_folder_is_one_dataset_for_pandas_and_spark(
    make_inbox: Callable[[Target], Inbox],
) -> None:
    to = make_inbox(BY_NAME["parquet"])
    world = to.serve(generate_world(30, 2, now=NOW))
    to.run()
    world.receive_message(world.chat_ids[0])
    to.run()
    for table in ("chats", "chat_walks"):
        folder = to.place.folder / to.place.dataset / table
        files = sorted(folder.iterdir())
        assert [file.suffix for file in files] == [".parquet", ".parquet"]
        first, second = (pq.read_schema(file).remove_metadata() for file in files)
        assert first == second
    frame = pd.read_parquet(to.place.folder / to.place.dataset / "chats")
    assert len(frame) == len(world) + 1, "what changed is appended, and nothing else"
    assert str(frame["timestamp"].dtype) == "datetime64[us, UTC]"
    assert frame["archived"].dtype == "bool"
    assert frame["unread_count"].dtype == "int64"
