"""What can be checked of warehouses without one: configuration, strategy, shapes, files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common.destination.client import DestinationClientDwhConfiguration

from postpress_source import postpress_source
from postpress_source.sandbox import Sandbox, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "destinations.md"
BLOCKS = {
    match[1]: match[2]
    for match in re.finditer(r"```toml\n# (\w+)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
}
CHOICES = {
    "snowflake": ("cdc", "parquet"),
    "bigquery": ("cdc", "parquet"),
    "databricks": ("cdc", "parquet"),
    "motherduck": ("cdc", "parquet"),
    "redshift": ("delete-insert", "insert_values"),
    "clickhouse": ("delete-insert", "parquet"),
}


def settings(block: dict[str, Any], *path: str) -> Iterator[tuple[str, str]]:
    """A configuration as environment variables, which dlt reads the same."""
    for key, value in block.items():
        if isinstance(value, dict):
            yield from settings(value, *path, key)
        else:
            yield "__".join([*path, key]).upper(), str(value)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_the_documented_configuration_resolves(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "rsa_key.p8"
    key.write_text("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")
    block = BLOCKS[name].replace("/path/to/rsa_key.p8", str(key))
    for variable, value in settings(tomllib.loads(block)):
        monkeypatch.setenv(variable, value)
    destination = getattr(dlt.destinations, name)()
    config = destination.configuration(
        destination.spec()._bind_dataset_name(dataset_name="postpress"), accept_partial=False
    )
    assert isinstance(config, DestinationClientDwhConfiguration)
    assert config.credentials is not None
    assert config.credentials.is_resolved()


def test_every_warehouse_of_the_table_has_a_configuration() -> None:
    assert set(CHOICES) - {"clickhouse"} == set(BLOCKS)


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_what_is_chosen_without_a_connection(name: str, tmp_path: Path, sandbox: Sandbox) -> None:
    world = World()
    world.new_chat(folder=["a", "b"], disabledFeatures=["reply"])
    sandbox.reset(world)
    pipeline = dlt.pipeline(
        "postpress", pipelines_dir=str(tmp_path), destination=getattr(dlt.destinations, name)()
    )
    pipeline.extract(postpress_source(api_key="pp_live_x", base_url=sandbox.url))
    pipeline.normalize()
    strategy, files = CHOICES[name]
    tables = {str(table["name"]).lower(): table for table in pipeline.default_schema.data_tables()}
    lists = {"chats__folder", "chats__disabled_features"}
    ledger = {"chat_walks", "chat_walk_accounts"}
    assert set(tables) == {"chats", "chats_history"} | lists | ledger
    assert tables["chats"]["x-merge-strategy"] == strategy  # type: ignore[typeddict-item]
    (load_id,) = pipeline.list_normalized_load_packages()
    jobs = pipeline.get_load_package_info(load_id).jobs["new_jobs"]
    found = {(job.job_file_info.table_name.lower(), job.job_file_info.file_format) for job in jobs}
    assert {(table, files) for table in tables} <= found
