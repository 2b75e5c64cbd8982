"""docs/history.md and the README say of history what the queries give, run as a reader would."""

from __future__ import annotations

import re
from pathlib import Path

import dlt
import pytest

from postpress_source.chats.columns import CHATS, HISTORY
from postpress_source.chats.fields import LISTS
from tests.story import shown, tell

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "history.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
QUERY = re.compile(r"^```sql\n(?!-- )(.*?)^```\n\n```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
QUERIES = [*QUERY.findall(PAGE), *QUERY.findall(README)]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dlt.Pipeline:
    return tell(tmp_path_factory.mktemp("story"))


@pytest.mark.slow
@pytest.mark.parametrize(("query", "output"), QUERIES)
def test_a_query_gives_what_is_shown(story: dlt.Pipeline, query: str, output: str) -> None:
    with story.sql_client() as client, client.execute_query(query) as cursor:
        names = [column[0] for column in cursor.description or ()]
        assert shown(names, cursor.fetchall()) == output


def test_every_query_has_its_output_and_the_columns_are_the_codes() -> None:
    assert len(QUERY.findall(README)) == 1
    assert len(QUERIES) == 1 + len(re.findall(r"^```sql\n(?!-- )", PAGE, re.MULTILINE))
    own = [
        name
        for name in HISTORY
        if name not in {*CHATS, *(f.name for f in LISTS)} or name == "version"
    ]
    rows = [
        f"| `{name}` | {HISTORY[name]['data_type']} | {HISTORY[name].get('description')} |"
        for name in own
    ]
    table = "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])
    assert f"<!-- own columns -->\n{table}\n<!-- /own columns -->" in PAGE


def block(name: str) -> str:
    """The SQL of the page that begins with this name."""
    found = re.search(rf"^```sql\n-- {name}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1]


@pytest.mark.slow
def test_the_sql_forgets_a_chat_and_heals_what_was_edited(story: dlt.Pipeline) -> None:
    with story.sql_client() as client, client.begin_transaction() as transaction:
        query = "SELECT chat_id FROM chats__folder JOIN chats_history AS h ON h.id = chat_id"
        ((chat,), *_) = client.execute_sql(query) or ()
        for statement in block("forget").replace("the chat", chat).split(";\n"):
            client.execute_sql(statement) if statement else None
        for table in story.default_schema.data_table_names():
            rows = client.execute_sql(f"SELECT * FROM {table}") or ()  # noqa: S608
            assert chat not in {value for row in rows for value in row}
        client.execute_sql(block("heal"))
        ((left,),) = client.execute_sql("SELECT COUNT(version) FROM chats") or ()
        transaction.rollback_transaction()
    assert left == 0
