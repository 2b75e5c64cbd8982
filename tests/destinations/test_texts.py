"""Texts that a destination can't hold: they land as they are, or nothing is loaded, and said so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import PostpressRequestError, postpress_source
from postpress_source.sandbox import Sandbox, World, generate_world
from tests.destinations.conftest import Inbox
from tests.destinations.landed import inbox, landed
from tests.destinations.targets import BY_NAME, Target, mariadb, postgres

pytestmark = pytest.mark.filterwarnings("ignore:Coercing Subquery object")  # dlt 1.31, its merge

LONG = "😀" * 20_000  # 80,000 bytes


def assert_refused(run: Callable[[], Any], *said: str) -> None:
    """That a run fails with an error that says so, of the kind whose reader must act."""
    with pytest.raises(PipelineStepFailed) as failed:
        run()
    error = failed.value.__context__
    assert isinstance(error, PostpressRequestError)
    assert all(part in str(error) for part in (*said, "nothing was loaded"))


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def odd_database(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A PostgreSQL database in another encoding: which, and its address."""
    import psycopg2

    name = f"odd_{request.param.lower()}"
    connection = psycopg2.connect(postgres())
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE DATABASE {name} ENCODING '{request.param}' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        yield request.param, f"{postgres().rpartition('/')[0]}/{name}"
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


@pytest.mark.server
def test_a_postgres_database_that_is_not_utf8_is_refused_before_anything_is_written(
    odd_database: tuple[str, str], tmp_path: Path, sandbox: Sandbox
) -> None:
    import psycopg2

    encoding, address = odd_database
    sandbox.reset(World())
    sandbox.world.new_chat(name="Zoë")
    pipeline = dlt.pipeline(
        "postpress",
        pipelines_dir=str(tmp_path),
        destination=dlt.destinations.postgres(address),
        dataset_name="inbox",
    )
    source = postpress_source(api_key="pp_live_x", base_url=sandbox.url)
    assert_refused(lambda: pipeline.run(source), encoding, "CREATE DATABASE", "UTF8")
    assert not pipeline.has_pending_data
    connection = psycopg2.connect(address)
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM pg_namespace WHERE nspname LIKE 'inbox%'")
        assert cursor.fetchone() == (0,)
    connection.close()


@pytest.mark.server
def test_where_the_encoding_cannot_be_asked_for_rows_go_in_as_inserts(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    sandbox.reset(World())
    sandbox.world.new_chat()
    pipeline = dlt.pipeline(
        "postpress",
        pipelines_dir=str(tmp_path),
        destination=dlt.destinations.postgres("postgresql://nobody:x@127.0.0.1:1/none"),
    )
    pipeline.extract(postpress_source(api_key="pp_live_x", base_url=sandbox.url))
    tables = pipeline.default_schema.data_tables()
    assert {table.get("file_format") for table in tables} == {"insert_values"}


@pytest.fixture
def to_mariadb(make_inbox: Callable[[Target], Inbox]) -> Inbox:
    return make_inbox(BY_NAME["mariadb"])


def make_as_dlt_would(to: Inbox) -> None:
    """Give the tables the types that dlt's own way gives them, and an early release gave."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(mariadb())
    dataset = to.place.dataset
    with engine.begin() as connection:
        for schema in (dataset, f"{dataset}_staging"):
            for (table,) in connection.exec_driver_sql(f"SHOW TABLES IN {schema}").fetchall():
                name = f"{schema}.{table}"
                columns = connection.exec_driver_sql(f"SHOW FULL COLUMNS FROM {name}").fetchall()
                indexes = connection.exec_driver_sql(f"SHOW INDEX FROM {name}").fetchall()
                changes = [f"DROP INDEX {index[2]}" for index in indexes]
                changes += [
                    f"MODIFY `{column[0]}` TEXT CHARACTER SET utf8mb3"
                    for column in columns
                    if column[2]  # its collation
                ]
                connection.exec_driver_sql(f"ALTER TABLE {name} {', '.join(changes)}")
    engine.dispose()


@pytest.mark.server
@pytest.mark.slow
def test_a_text_of_any_length_lands_in_mariadb_in_tables_made_otherwise_too(
    to_mariadb: Inbox,
) -> None:
    to = to_mariadb
    world = to.serve(generate_world(20, 2))
    to.run()
    make_as_dlt_would(to)
    world.new_chat(id="case-a", name=LONG, folder=[LONG, "a"])
    world.new_chat(id="case-A", name="😀")
    to.run()
    assert landed(to.place) == inbox(world)


@pytest.mark.server
def test_a_text_that_mariadb_cannot_take_leaves_the_next_run_free(to_mariadb: Inbox) -> None:
    to = to_mariadb
    world = to.serve(World())
    world.new_chat(name=LONG)
    too_long = world.new_chat(id="i" * 256)
    assert_refused(to.run, "id has 256 characters, and the destination takes 255")
    world.delete_chat(too_long)
    too_long = world.new_chat(name="n" * 5_000_000)
    assert_refused(to.run, "name has 5,000,000 bytes, and the destination takes 4,")
    world.rename(too_long, "short")
    to.run()
    assert landed(to.place) == inbox(world)


def test_a_text_that_redshift_cannot_take_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    sandbox.reset(World())
    sandbox.world.new_chat(name=LONG)
    pipeline = dlt.pipeline("postpress", pipelines_dir=str(tmp_path), destination="redshift")
    source = postpress_source(api_key="pp_live_x", base_url=sandbox.url)
    assert_refused(lambda: pipeline.extract(source), "name has 80,000 bytes", "takes 65,535")
    source.chats.apply_hints(columns={"name": {"precision": 300}})
    sandbox.world.rename(sandbox.world.chat_ids[0], "😀" * 80)
    assert_refused(lambda: pipeline.extract(source), "name has 320 bytes", "takes 300")
