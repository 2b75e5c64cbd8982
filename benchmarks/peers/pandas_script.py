"""The script that many write first: requests, a DataFrame, a DuckDB table with list columns.

python pandas_script.py BASE_URL API_KEY FOLDER
"""

import json
import sys
import time
from pathlib import Path

import duckdb
import pandas as pd
import requests

TEXTS = ("id", "account_id", "account_type", "provider_id", "attendee_provider_id", "name")
MORE_TEXTS = ("muted_until", "subject", "organization_id", "mailbox_id", "content_type")


def main(base_url: str, api_key: str, folder: Path) -> None:
    """Load all chats; print how long it took."""
    began = time.perf_counter()
    session = requests.Session()
    session.headers["X-API-KEY"] = api_key
    chats, cursor = [], None
    while True:
        params = {"limit": 250} | ({"cursor": cursor} if cursor else {})
        answer = session.get(f"{base_url}/chats", params=params, timeout=60)
        answer.raise_for_status()
        page = answer.json()
        chats += page["items"]
        cursor = page["cursor"]
        if cursor is None:
            break
    frame = pd.DataFrame(chats)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True, format="ISO8601")
    frame["unread_count"] = frame["unread_count"].astype("Int64")
    for name in (*TEXTS, *MORE_TEXTS):
        frame[name] = frame[name].astype("string")
    with duckdb.connect(str(folder / "chats.duckdb")) as database:
        database.register("frame", frame)
        database.execute("create table if not exists chats as select * from frame limit 0")
        database.execute("delete from chats where id in (select id from frame)")
        database.execute("insert into chats by name select * from frame")
    print(json.dumps({"inside": time.perf_counter() - began}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
