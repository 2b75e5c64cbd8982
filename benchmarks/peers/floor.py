"""The floor: what a hand-written script needs for the same tables, and nothing else.

It reads one page after the other over one connection, decodes into typed structs, writes one
Parquet file, and merges it into DuckDB with the two array tables. It does not retry, remember,
notice a broken page, take a field that it doesn't know, or find a chat that is gone.

    python floor.py BASE_URL API_KEY FOLDER
"""

import datetime as dt
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import urllib3

TEXT, INSTANT, LIST = pa.string(), pa.timestamp("us", "UTC"), pa.list_(pa.string())
COLUMNS = {
    "id": TEXT,
    "account_id": TEXT,
    "account_type": TEXT,
    "provider_id": TEXT,
    "attendee_provider_id": TEXT,
    "name": TEXT,
    "type": pa.int64(),
    "timestamp": INSTANT,
    "unread_count": pa.int64(),
    "archived": pa.bool_(),
    "muted_until": INSTANT,
    "muted_forever": pa.bool_(),
    "read_only": pa.int64(),
    "subject": TEXT,
    "organization_id": TEXT,
    "mailbox_id": TEXT,
    "content_type": TEXT,
    "pinned": pa.bool_(),
    "folder": LIST,
    "disabled_features": LIST,
}
SCHEMA = pa.schema(COLUMNS.items())
ROW_GROUP = 10_000
MERGE = """
create table if not exists chats as
    select * exclude (folder, disabled_features) from read_parquet('{file}') limit 0;
create table if not exists chats__folder (chat_id varchar, value varchar, _dlt_list_idx bigint);
create table if not exists chats__disabled_features
    (chat_id varchar, value varchar, _dlt_list_idx bigint);
begin;
delete from chats where id in (select id from read_parquet('{file}'));
insert into chats by name select * exclude (folder, disabled_features) from read_parquet('{file}');
delete from chats__folder where chat_id in (select id from read_parquet('{file}'));
insert into chats__folder
    select id, unnest(folder), generate_subscripts(folder, 1) - 1 from read_parquet('{file}');
delete from chats__disabled_features where chat_id in (select id from read_parquet('{file}'));
insert into chats__disabled_features
    select id, unnest(disabled_features), generate_subscripts(disabled_features, 1) - 1
    from read_parquet('{file}');
commit;
"""


class Chat(msgspec.Struct, gc=False):
    """A chat as documented."""

    id: str
    account_id: str
    account_type: str
    provider_id: str
    name: str | None
    type: int
    timestamp: dt.datetime | None
    unread_count: int
    archived: int
    muted_until: int | dt.datetime | None
    read_only: int
    attendee_provider_id: str | None = None
    subject: str | None = None
    organization_id: str | None = None
    mailbox_id: str | None = None
    content_type: str | None = None
    pinned: int | None = None
    folder: list[str] | None = None
    disabled_features: list[str] | None = msgspec.field(name="disabledFeatures", default=None)


class Page(msgspec.Struct):
    """A page of chats."""

    items: list[Chat]
    cursor: str | None


def pages(base_url: str, api_key: str) -> Iterator[list[Chat]]:
    """The chats, page by page."""
    pool, decode = urllib3.PoolManager(), msgspec.json.Decoder(Page).decode
    url = f"{base_url}/chats?limit=250"
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={quote(cursor, safe='')}" if cursor else ""
        answer = pool.request("GET", url + more, headers={"X-API-KEY": api_key})
        if answer.status != 200:
            raise SystemExit(f"HTTP {answer.status}")
        page = decode(answer.data)
        yield page.items
        cursor = page.cursor


def column(name: str, chats: list[Chat]) -> pa.Array:
    """One column of the table."""
    values: list[object] = [getattr(chat, name, None) for chat in chats]
    if name == "muted_forever":
        values = [chat.muted_until == -1 for chat in chats]
    if name == "muted_until":
        values = [None if value == -1 else value for value in values]
    if COLUMNS[name] == pa.bool_():
        values = [None if value is None else bool(value) for value in values]
    return pa.array(values, COLUMNS[name])


def to_table(chats: list[Chat]) -> pa.Table:
    """A table of some chats."""
    return pa.table([column(name, chats) for name in COLUMNS], schema=SCHEMA)


def main(base_url: str, api_key: str, folder: Path) -> None:
    """Read, write, merge; print how long each took."""
    began = time.perf_counter()
    file = folder / "chats.parquet"
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        pending: list[Chat] = []
        for chats in pages(base_url, api_key):
            pending += chats
            if len(pending) >= ROW_GROUP:
                writer.write_table(to_table(pending))
                pending = []
        writer.write_table(to_table(pending))
    read = time.perf_counter()
    with duckdb.connect(str(folder / "chats.duckdb")) as database:
        database.execute(MERGE.format(file=file))
    merged = time.perf_counter()
    print(json.dumps({"inside": merged - began, "read": read - began, "merge": merged - read}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
