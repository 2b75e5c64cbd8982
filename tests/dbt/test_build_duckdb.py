"""`dbt build`, as docs/dbt.md has it, gives the numbers of the package's own views on DuckDB."""

from __future__ import annotations

import re

import pytest

from tests.dbt.project import COMMANDS, PAGE, Inbox, prepare
from tests.story import shown


@pytest.fixture(scope="module")
def duckdb(tmp_path_factory: pytest.TempPathFactory) -> Inbox:
    folder = tmp_path_factory.mktemp("duckdb")
    return prepare(folder)


def test_the_page_builds_what_the_views_say_on_duckdb(duckdb: Inbox) -> None:
    build, freshness, _ = COMMANDS
    assert "ERROR=0" in duckdb.run(build)
    duckdb.gives_the_views_numbers()
    # these days are long ago
    assert "ERROR STALE freshness of postpress.chat_walks" in duckdb.run(freshness, status=1)


def test_the_page_shows_what_its_query_gives(duckdb: Inbox) -> None:
    ((query, output),) = re.findall(r"```sql\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    with duckdb.pipeline.sql_client() as client, client.execute_query(query) as cursor:
        names = [column[0] for column in cursor.description or ()]
        assert shown(names, cursor.fetchall()) == output


def test_what_is_wrong_in_a_source_is_found(duckdb: Inbox) -> None:
    duckdb.change("INSERT INTO chats SELECT * FROM chats LIMIT 1")
    duckdb.change("UPDATE chat_walks SET kind = 'walk' WHERE started_at IS NOT NULL")
    duckdb.change("UPDATE chats__folder SET chat_id = 'nobody'")
    said = duckdb.run("dbt test --select source:postpress", status=1)
    failed = set(re.findall(r"^\S+ +Failure in test (\w+)", said, re.MULTILINE))
    assert {test.removeprefix("source_").partition("_postpress_")[0] for test in failed} == {
        "unique",
        "accepted_values",
        "relationships",
    }
