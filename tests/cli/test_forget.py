"""`postpress forget` leaves no trace in any table, and says how much it found."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from postpress_source.sandbox import Sandbox
from tests.cli.conftest import Desk, assert_plain

POSTGRES = os.environ.get("POSTPRESS_TEST_POSTGRES", "")
COLUMNS = (
    "SELECT table_schema, table_name, column_name FROM information_schema.columns"
    " WHERE table_schema LIKE '{dataset}%'"
)


class Tables:
    """A destination's tables, of the dataset and of its staging, searched by their own driver."""

    def __init__(self, desk: Desk, dataset: str, options: tuple[str, ...]) -> None:
        self.desk = desk
        self.dataset = dataset
        self.options = options

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if not self.options:
            return self.desk.query(sql)
        import psycopg2

        connection = psycopg2.connect(POSTGRES)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def traces(self, text: str) -> set[tuple[str, str]]:
        """The tables and columns that have a text anywhere in them."""
        return {
            (table, column)
            for schema, table, column in self.rows(COLUMNS.format(dataset=self.dataset))
            if self.rows(
                f'SELECT 1 FROM {schema}.{table} WHERE CAST("{column}" AS VARCHAR)'  # noqa: S608
                f" LIKE '%{text}%' LIMIT 1"
            )
        }

    def told(self, *arguments: str) -> dict[str, Any]:
        ended = self.desk.run(*arguments, *self.options, "--json")
        assert ended.code == 0, ended.text
        document: dict[str, Any] = json.loads(ended.out)
        return document

    def ids(self) -> set[str]:
        return {row[0] for row in self.rows(f"SELECT id FROM {self.dataset}.chats")}  # noqa: S608


@pytest.fixture(params=["duckdb", "postgres"])
def tables(request: pytest.FixtureRequest, desk: Desk, inbox: Sandbox) -> Iterator[Tables]:
    """An inbox that was loaded, changed and loaded again."""
    if request.param == "duckdb":
        tables = Tables(desk, "postpress", ())
    elif not POSTGRES:
        pytest.skip("POSTPRESS_TEST_POSTGRES is not set: `make servers-start`")
    else:
        dataset = f"forget_{uuid4().hex[:8]}"
        desk.environment["DESTINATION__POSTGRES__CREDENTIALS"] = POSTGRES
        tables = Tables(desk, dataset, ("--destination", "postgres", "--dataset", dataset))
    tables.told("run", "--full")
    for chat in inbox.world.chat_ids[:9]:
        inbox.world.refile(chat, ["mine"])
    tables.told("run", "--full")
    yield tables
    if tables.options:
        import psycopg2

        connection = psycopg2.connect(POSTGRES)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA {tables.dataset} CASCADE")
            cursor.execute(f"DROP SCHEMA {tables.dataset}_staging CASCADE")
        connection.close()


@pytest.mark.slow
def test_a_chat_is_forgotten_everywhere_and_nobody_else(tables: Tables, inbox: Sandbox) -> None:
    chat, other, *_ = inbox.world.chat_ids
    before = tables.traces(chat)
    assert {name for name, _ in before} >= {"chats", "chats__folder", "chats_history"}
    tried = tables.told("forget", "--chat", chat, "--dry-run")
    assert tried["rows"]["chats"] == 1
    assert tried["rows"]["chats_history"] == 2
    assert tables.traces(chat) == before, "tried only"
    assert tables.told("forget", "--chat", chat)["rows"] == tried["rows"]
    assert tables.traces(chat) == set()
    assert tables.traces(other)
    assert tables.ids() == {*inbox.world.chat_ids} - {chat}
    assert tables.told("forget", "--chat", chat)["rows"] == {}

    tables.told("run", "--full")
    assert chat in tables.ids(), "the API lists it still"
    inbox.world.delete_chat(chat)
    tables.told("run", "--full")
    tables.told("forget", "--chat", chat)
    tables.told("run", "--full")
    assert tables.traces(chat) == set()


@pytest.mark.slow
def test_an_account_is_forgotten_with_all_its_chats_and_in_the_ledger(
    tables: Tables, inbox: Sandbox
) -> None:
    account, other, *_ = inbox.world.accounts
    tables.told("run", "--account", account, "--account", other)
    chats = [c for c in inbox.world.chat_ids if inbox.world.chat(c)["account_id"] == account]
    found = {name for name, _ in tables.traces(account)}
    assert found >= {"chats", "chats_history", "chat_walks", "chat_walk_accounts"}
    rows = tables.told("forget", "--account", account)["rows"]
    assert rows["chats"] == len(chats)
    assert rows["chat_walks"] == 1
    assert rows["chat_walks, texts"] == 1
    assert tables.traces(account) == set()
    assert all(tables.traces(chat) == set() for chat in (chats[0], chats[-1]))
    assert tables.traces(other), "the others' names stay in the same texts"
    assert tables.ids() == {*inbox.world.chat_ids} - {*chats}


def test_files_say_that_they_cannot_and_what_can_be_done(desk: Desk, inbox: Sandbox) -> None:
    assert desk.run("run", "--destination", "filesystem").code == 0
    ended = desk.run("forget", "--destination", "filesystem", "--chat", "any")
    assert ended.code == 1
    assert "keeps files" in ended.err
    assert "docs/history.md" in ended.err


def test_without_a_name_or_a_table_it_says_so(desk: Desk) -> None:
    ended = desk.run("forget")
    assert (ended.code, "--chat" in ended.err) == (2, True)
    ended = desk.run("forget", "--chat", "any")
    assert ended.code == 1
    assert "Nothing has been loaded" in ended.err
    assert not (desk.folder / "inbox.duckdb").exists()
    for text in (ended.text, desk.run("forget", "--help").out):
        assert_plain(text)


def test_a_file_that_is_open_elsewhere_is_told(desk: Desk, inbox: Sandbox) -> None:
    assert desk.run("run").code == 0
    with duckdb.connect(str(desk.folder / "inbox.duckdb")):
        ended = desk.run("forget", "--chat", inbox.world.chat_ids[0])
    assert ended.code == 3, ended.text
