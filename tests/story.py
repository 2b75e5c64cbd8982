"""Eight days of an inbox, loaded twice a day: docs/history.md and the README show these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from typing import Any

import dlt

from postpress_source import postpress_source
from postpress_source.sandbox import World, serve
from postpress_source.views import create_views

DAYS = Path(__file__).parent.parent / "notebooks" / "sandbox_days.py"


def tell(
    folder: Path, destination: Any = None, dataset_name: str = "postpress", runs: int = 16
) -> dlt.Pipeline:
    """A pipeline with the tables and views of these days, or the first of them; the same each time.

    Args:
        folder: For its files.
        destination: Where to; None: a DuckDB file, inbox.duckdb.
        dataset_name: Of the tables.
        runs: How many loads, two a day.
    """
    days = run_path(str(DAYS))
    world = World(now=datetime(2026, 3, 2, 7, 30, tzinfo=UTC), seed=7)
    for provider, chats in (("LINKEDIN", 120), ("WHATSAPP", 80), ("SLACK", 40)):
        world.connect_account(provider, history=chats)
    pipeline = dlt.pipeline(
        "story",
        destination=destination or dlt.destinations.duckdb(str(folder / "inbox.duckdb")),
        dataset_name=dataset_name,
        pipelines_dir=str(folder / "pipelines"),
    )
    with serve(world, api_key="pp_live_sandbox") as sandbox, days["source_clock"](world):
        for run in range(runs):
            days["pass_time"](world, quarters=2)
            if run == 9:
                world.delete_chat(sorted(world.chat_ids)[20])
            pipeline.run(postpress_source(sandbox.key, sandbox.url, full_walk_every=timedelta(0)))
    create_views(pipeline)
    return pipeline


def shown(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A result as text, instants to the second."""
    cells = [[*names], *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "-" if value is None else str(value)
