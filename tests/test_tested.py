"""A dlt that nobody has tested is said, once, and doesn't keep the source from running."""

import logging
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import dlt
import pytest

from postpress_source import postpress_source, tested
from postpress_source.sandbox import generate_world, serve


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    tested.warn_of_untested_dlt.cache_clear()
    yield
    tested.warn_of_untested_dlt.cache_clear()


def install(dlt_version: str) -> Callable[[str], str]:
    """A stand-in for `importlib.metadata.version` that says so of dlt."""
    return lambda name: dlt_version if name == "dlt" else metadata.version(name)


@pytest.mark.parametrize(
    ("installed", "warned"),
    [
        ("1.31.0", False),
        ("1.31.9", False),
        ("1.32.0", True),
        ("1.32.0a1", True),
        ("2.0.0", True),
        ("1.100.0", True),
    ],
)
def test_a_newer_minor_is_warned_of(
    installed: str,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tested, "NEWEST_DLT", (1, 31))
    monkeypatch.setattr(tested, "version", install(installed))
    tested.warn_of_untested_dlt()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * warned
    assert (f"dlt {installed} is newer than 1.31" in caplog.text) == warned
    assert ("dlt<1.32" in caplog.text) == warned


@pytest.mark.slow
def test_two_runs_warn_once_and_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tested, "version", install("1.99.0"))
    into = dlt.destinations.duckdb(str(tmp_path / "inbox.duckdb"))
    pipeline = dlt.pipeline("untested", str(tmp_path / "dlt"), destination=into)
    with serve(generate_world(chats=20)) as server:
        for _ in range(2):
            pipeline.run(postpress_source("pp_live_untested_0123456789", server.url))
    assert caplog.text.count("is newer than") == 1
    with pipeline.sql_client() as client:
        assert client.execute_sql("SELECT count(*) FROM chats") == [(20,)]
