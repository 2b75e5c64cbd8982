"""A pipeline's working folder and its database, as long as processes come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from postpress_source import postpress_source
from postpress_source.sandbox import World
from tests.proof.listing import Row
from tests.proof.moments import Fate, moments
from tests.proof.one_process import URL
from tests.proof.whole import KEY, WholePipeline


class Place:
    """A pipeline's working folder and its database, which stays open: that is half the time.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._connection = duckdb.connect(str(folder / "inbox.duckdb"))

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def run(self, world: World, fate: Fate, **arguments: Any) -> None:
        """A run in a process of its own, as far as it remembers anything."""
        with moments(world, fate):
            whole = WholePipeline(self.folder, URL)
            whole.pipeline.run(postpress_source(KEY, URL, limit=5, **arguments))

    def ask(self, query: str) -> list[Row]:
        """The rows of a query."""
        self._connection.execute("USE postpress; SET TimeZone = 'UTC'")  # whatever the machine's is
        answer = self._connection.execute(query)
        read = getattr(answer, "to_arrow_table", None) or answer.fetch_arrow_table  # before 1.5
        rows: list[Row] = read().to_pylist()
        return rows
