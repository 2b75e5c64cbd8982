"""The destinations that the suite runs on: how each is configured, and how it is read back.

What is read back comes through the destination's own driver or library, never through dlt's
relations, so that it is what a user of the destination sees.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest

Row = dict[str, Any]
BUCKET = "inbox"
S3_OPTIONS = {
    "AWS_ACCESS_KEY_ID": "unused",
    "AWS_SECRET_ACCESS_KEY": "unused",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


@dataclass
class Place:
    """A destination of one test: empty, and its own."""

    target: Target
    folder: Path
    s3_url: str | None = None
    dataset: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:10]}")

    @property
    def bucket_url(self) -> str:
        """Where the filesystem destination writes."""
        return f"s3://{BUCKET}/{self.dataset}" if self.s3_url else self.folder.as_uri()

    @property
    def storage_options(self) -> dict[str, str]:
        """What deltalake and pyiceberg need to read there."""
        if not self.s3_url:
            return {}
        return S3_OPTIONS | {"AWS_ENDPOINT_URL": self.s3_url, "s3.endpoint": self.s3_url}

    def table_url(self, table: str) -> str:
        return f"{self.bucket_url}/{self.dataset}/{table}"

    def read(self, table: str) -> list[Row]:
        """The rows of a table, none where it doesn't exist."""
        return self.target.read(self, table)


@dataclass(frozen=True)
class Target:
    """A kind of destination.

    Attributes:
        connect: Makes dlt's destination for a place.
        read: Reads a table of it.
        table_format: What the resource is told, None for nothing.
        array_tables: Whether arrays land in tables of their own; else in list columns of `chats`.
        merges: Whether a chat is one row; else every version of it is appended.
        deletes: Whether chats that are gone at the source go here.
        s3: Whether it lies on an S3 server.
        nul: What becomes of the character NUL in a text.
    """

    name: str
    connect: Callable[[Place], Any]
    read: Callable[[Place, str], list[Row]]
    table_format: str | None = None
    array_tables: bool = True
    merges: bool = True
    deletes: bool = True
    s3: bool = False
    nul: str = "\0"

    @property
    def param(self) -> Any:
        """For tests of every target; lakes take several times as long as databases."""
        is_lake = self.table_format is not None or self.s3 or self.name == "ducklake"
        return pytest.param(self, id=self.name, marks=[pytest.mark.slow] if is_lake else [])


def server(variable: str, packages: str) -> str:
    """The address of a server of `.ci/servers`; fails in CI and skips elsewhere if it isn't up."""
    address = os.environ.get(variable)
    if address:
        return address
    message = f"{variable} is not set: `make servers-start` (Debian packages: {packages})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _rows(table: Any) -> list[Row]:
    rows: list[Row] = table.to_pylist()
    return rows


# -- DuckDB and DuckLake ---------------------------------------------------------------------------


def _duckdb_file(place: Place) -> str:
    return str(place.folder / "inbox.duckdb")


def _read_duckdb(place: Place, table: str) -> list[Row]:
    with duckdb.connect(_duckdb_file(place), read_only=True) as connection:
        return _select(connection, f'"{place.dataset}"', table)


def _select(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[Row]:
    try:
        relation = connection.sql(f'FROM {schema}."{table}"')
    except duckdb.CatalogException:
        return []
    return _rows(relation.to_arrow_table())


def _ducklake(place: Place) -> Any:
    from dlt.destinations.impl.ducklake.configuration import DuckLakeCredentials

    return dlt.destinations.ducklake(
        credentials=DuckLakeCredentials(
            "inbox",
            catalog=f"duckdb:///{place.folder}/catalog.duckdb",
            storage=str(place.folder / "data"),
        )
    )


def _read_ducklake(place: Place, table: str) -> list[Row]:
    catalog = place.folder / "catalog.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH 'ducklake:{catalog}' AS lake ")
        return _select(connection, f'lake."{place.dataset}"', table)


# -- files -----------------------------------------------------------------------------------------


def _filesystem(place: Place) -> Any:
    if not place.s3_url:
        return dlt.destinations.filesystem(place.bucket_url)
    credentials = {
        "aws_access_key_id": "unused",
        "aws_secret_access_key": "unused",
        "endpoint_url": place.s3_url,
        "region_name": "us-east-1",
    }
    return dlt.destinations.filesystem(place.bucket_url, credentials=credentials)


@contextmanager
def duckdb_on(place: Place) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection that can read a place's files."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if place.s3_url:
            connection.execute("LOAD httpfs")
            connection.execute(
                "CREATE SECRET (TYPE s3, KEY_ID 'unused', SECRET 'unused', REGION 'us-east-1', "
                f"ENDPOINT '{place.s3_url.removeprefix('http://')}', URL_STYLE path, USE_SSL false)"
            )
        yield connection


def _read_parquet(place: Place, table: str) -> list[Row]:
    files = f"{place.table_url(table).removeprefix('file://')}/*.parquet"
    with duckdb_on(place) as connection:
        try:
            relation = connection.sql(f"FROM read_parquet('{files}', union_by_name = true)")
        except duckdb.IOException:
            return []
        return _rows(relation.to_arrow_table())


def _read_delta(place: Place, table: str) -> list[Row]:
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        delta = DeltaTable(place.table_url(table), storage_options=place.storage_options)
    except TableNotFoundError:
        return []
    return _rows(delta.to_pyarrow_table())


def _read_iceberg(place: Place, table: str) -> list[Row]:
    import fsspec
    from pyiceberg.table import StaticTable

    options = (
        {"key": "unused", "secret": "unused", "client_kwargs": {"endpoint_url": place.s3_url}}
        if place.s3_url
        else {}
    )
    files, _, (folder,) = fsspec.get_fs_token_paths(
        f"{place.table_url(table)}/metadata", storage_options=options
    )
    files.invalidate_cache()
    found = files.glob(f"{folder}/*.metadata.json")
    if not found:
        return []
    protocol = "s3://" if place.s3_url else "file://"
    return _rows(
        StaticTable.from_metadata(
            protocol + max(found),
            {
                "s3.access-key-id": "unused",
                "s3.secret-access-key": "unused",
                "s3.region": "us-east-1",
            }
            | place.storage_options,
        )
        .scan()
        .to_arrow()
    )


# -- databases -------------------------------------------------------------------------------------


def postgres() -> str:
    """The address of PostgreSQL."""
    return server("POSTPRESS_TEST_POSTGRES", "postgresql-15")


def mariadb() -> str:
    """The address of MariaDB."""
    return server("POSTPRESS_TEST_MARIADB", "mariadb-server")


def _read_postgres(place: Place, table: str) -> list[Row]:
    import psycopg2
    import psycopg2.extras

    connection = psycopg2.connect(postgres())
    try:
        with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f'TABLE "{place.dataset}"."{table}"')
            return [dict(row) for row in cursor]
    except psycopg2.errors.UndefinedTable:
        return []
    finally:
        connection.close()


def _sqlite(place: Place) -> Any:
    return dlt.destinations.sqlalchemy(f"sqlite:///{place.folder}/inbox.sqlite")


def _read_sqlite(place: Place, table: str) -> list[Row]:
    return _read_sqlalchemy(f"sqlite:///{place.folder}/inbox__{place.dataset}.sqlite", table)


def _mariadb(place: Place) -> Any:
    return dlt.destinations.sqlalchemy(mariadb())


def _read_mariadb(place: Place, table: str) -> list[Row]:
    return _read_sqlalchemy(mariadb(), table, place.dataset)


def _read_sqlalchemy(url: str, table: str, schema: str | None = None) -> list[Row]:
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)
    try:
        reflected = sqlalchemy.Table(
            table, sqlalchemy.MetaData(schema=schema), autoload_with=engine
        )
        with engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(reflected.select())]
    except sqlalchemy.exc.NoSuchTableError:
        return []
    finally:
        engine.dispose()


TARGETS = (
    Target("duckdb", lambda place: dlt.destinations.duckdb(_duckdb_file(place)), _read_duckdb),
    Target("ducklake", _ducklake, _read_ducklake),
    Target("parquet", _filesystem, _read_parquet, None, False, False, False),
    Target("delta", _filesystem, _read_delta, "delta", False),
    Target("iceberg", _filesystem, _read_iceberg, "iceberg", False, True, False),
    Target("s3-parquet", _filesystem, _read_parquet, None, False, False, False, s3=True),
    Target("s3-delta", _filesystem, _read_delta, "delta", False, s3=True),
    Target("s3-iceberg", _filesystem, _read_iceberg, "iceberg", False, True, False, s3=True),
    Target(
        "postgres",
        lambda place: dlt.destinations.postgres(postgres()),
        _read_postgres,
        nul="\ufffd",
    ),
    Target("sqlite", _sqlite, _read_sqlite),
    Target("mariadb", _mariadb, _read_mariadb),
)
ON_DISK = [target for target in TARGETS if not target.s3]
"""For what doesn't depend on where files lie."""
BY_NAME = {target.name: target for target in TARGETS}
