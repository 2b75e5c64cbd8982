"""The whole pipeline, HTTP to DuckDB, behind the same face as the warehouse in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import PostpressError, postpress_source
from tests.proof.judge import Walked
from tests.proof.landed import Ask, chats_of, select
from tests.proof.listing import Order, Row

KEY: Final = "pp_live_of_the_tests"


class WholePipeline:
    """A pipeline of its own folder, that reads from one server."""

    def __init__(
        self,
        folder: Path,
        url: str,
        limit: int = 5,
        key: str = KEY,
        destination: Any = None,
        dataset: str = "postpress",
    ) -> None:
        self._url = url
        self._limit = limit
        self._key = key
        self.loaded = False
        self.pipeline = dlt.pipeline(
            "whole",
            destination=destination or dlt.destinations.duckdb(str(folder / "inbox.duckdb")),
            dataset_name=dataset,
            pipelines_dir=str(folder / "pipelines"),
        )
        self.ask: Ask = partial(select, self.pipeline)

    def run(self, order: Order) -> Sequence[Walked]:
        """One run; raises the package's error."""
        arguments: dict[str, Any] = {
            "account_id": order.account_ids or None,
            "account_type": order.account_type,
            "unread": order.unread,
            "before": order.before,
            "after": order.after,
            "full_walk_every": order.full_walk_every,
        }
        if order.sweep is not None:
            arguments |= {"sweep": True, "full_walk_at_most_every": order.sweep}
        window = {"initial_value": order.start, "end_value": order.end}
        return self.load(window=window if order.start else None, **arguments)

    def load(
        self, *, key: str | None = None, window: Mapping[str, Any] | None = None, **arguments: Any
    ) -> Sequence[Walked]:
        """One run with these arguments of the source."""
        source = postpress_source(
            api_key=key or self._key, base_url=self._url, limit=self._limit, **arguments
        )
        if window:
            source.chats.apply_hints(incremental=dlt.sources.incremental("timestamp", **window))
        try:
            info = self.pipeline.run(source)
        except PipelineStepFailed as failed:
            raise cause_of(failed) from failed
        self.loaded = True
        return self.walks(info.loads_ids[-1])

    def walks(self, load_id: str) -> Sequence[Walked]:
        """The walks of a load, from the ledger."""
        rows = self.ask(f"SELECT * FROM chat_walks WHERE _dlt_load_id = '{load_id}'")  # noqa: S608
        return [
            Walked(
                row["account_id"],
                row["kind"],
                row["to_the_end"],
                row["complete"],
                not row["complete"] and not row["chats_left_out"],
                row["chats_missing"],
                row["watermark_after"] not in (None, row["watermark_before"]),
                row["unchanged"],
                f"{row['reason']} {row['error']} {row['next_step']}",
            )
            for row in rows
        ]

    def table(self) -> Mapping[str, Row]:
        """`chats` with its arrays, by id."""
        return chats_of(self.ask) if self.loaded else {}


def cause_of(error: BaseException | None) -> BaseException:
    """The package's error behind dlt's, or dlt's own."""
    outer = error
    while error is not None:
        if isinstance(error, PostpressError):
            return error
        error = error.__cause__ or error.__context__
    assert outer is not None
    return outer
