"""And on PostgreSQL, with variables that aren't the defaults."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import dlt
import pytest
import yaml

from postpress_source.views import create_views
from tests.dbt.project import COMMANDS, POSTGRES, Inbox, prepare


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    if not POSTGRES:
        leave = pytest.fail if os.environ.get("CI") else pytest.skip
        leave("POSTPRESS_TEST_POSTGRES is not set: `make servers-start`")
    folder = tmp_path_factory.mktemp("postgres")
    server = urlsplit(POSTGRES)
    inbox = prepare(
        folder,
        dlt.destinations.postgres(POSTGRES),
        dataset := f"postpress_{os.getpid()}",
        PGHOST=server.hostname or "",
        PGPORT=str(server.port),
        PGUSER=server.username or "",
        PGPASSWORD=server.password or "",
        PGDATABASE=server.path.strip("/"),
    )
    yield inbox
    with inbox.pipeline.sql_client() as client:
        for schema in ("analytics", dataset, f"{dataset}_staging"):
            client.execute_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def with_variables(command: str, **more: Any) -> str:
    """The command with more variables than the page has."""
    command, _, given = command.partition(" --vars ")
    variables = yaml.safe_load(given.strip("'") or "{}") | more
    return f"{command} --vars {shlex.quote(json.dumps(variables))}"


def test_the_page_builds_what_the_views_say_on_postgresql(postgres: Inbox) -> None:
    _, freshness, build = COMMANDS
    accounts = sorted({row[1] for row in postgres.rows("chats")})
    names = {account: f"Aoife's {number}" for number, account in enumerate(accounts)}
    place = postgres.pipeline.dataset_name
    create_views(
        postgres.pipeline, names, sla_hours=8, business_hours=(9, 17), time_zone="Europe/Berlin"
    )
    build = with_variables(build, postpress_schema=place, account_names=names)
    assert "ERROR=0" in postgres.run(build)
    postgres.gives_the_views_numbers()
    assert len(postgres.rows("analytics.account_names")) == len(accounts) == 3
    postgres.change("UPDATE chat_walks SET finished_at = CURRENT_TIMESTAMP")
    freshness = with_variables(f"{freshness} --target postgres", postpress_schema=place)
    assert "PASS freshness" in postgres.run(freshness)
