"""dlt's load package of a run, and the run's instant, which is the package's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from inspect import currentframe, unwrap
from typing import Any, Final, NamedTuple

import dlt
from dlt import Pipeline
from dlt.common.runtime.collector import NULL_COLLECTOR
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable

from postpress_source.errors import PostpressArgumentError

_TICK: Final = timedelta(milliseconds=1)


class Package(NamedTuple):
    """The load package of the run, its state, and whether it empties the tables first."""

    load_id: str
    state: dict[str, Any]
    emptied: bool

    def date(self, state: dict[str, Any], now: datetime) -> datetime:
        """The run's instant: after that of the run before it, though a clock be set back.

        dlt retires versions at the instant that their package was made, so that is set to it.

        Args:
            state: The resource's.
            now: By the clock.
        """
        before = state.get("seen_at")
        if before is not None and (last := datetime.fromisoformat(before)) >= now:
            now = last + _TICK
            state["seen_at"] = now.isoformat()
        self.state["created_at"] = now
        return now


def package_of_run() -> Package | None:
    """The load package of the run; None where there is no pipeline.

    Raises:
        PostpressArgumentError: Another source of this package is in it.
    """
    try:
        package = dlt.current.load_package_state()
    except CurrentLoadPackageStateNotAvailable:
        return None
    mine: dict[str, Any] = package["state"]  # type: ignore[assignment]  # open to other keys
    if mine.setdefault("postpress_source", source := id(dlt.current.source())) != source:
        raise PostpressArgumentError(
            "Two PostPress sources are in one run, where their rows would be taken for doubles",
            next_step="Run them one after the other: pipeline.run(one), then pipeline.run(other).",
        )
    emptied = bool(mine.get("dropped_tables") or mine.get("truncated_tables"))  # refresh
    return Package(str(package["load_id"]), mine, emptied)


def refuse_other_dataset() -> None:
    """Refuse `run(dataset_name=...)` of another dataset than the pipeline's.

    dlt turns to it when it loads; until then, what is asked of the destination is asked of the old
    one (dlt 1.31, `Pipeline.run`), and what `run` was given is known to its own frame alone.

    Raises:
        PostpressArgumentError: It says where to name the dataset.
    """
    frame, of_run = currentframe(), unwrap(Pipeline.run).__code__
    while frame and frame.f_code is not of_run:
        frame = frame.f_back
    named = frame.f_locals.get("dataset_name") if frame else None
    if named not in (None, dlt.current.pipeline().dataset_name):
        raise PostpressArgumentError(
            f"run(dataset_name={named!r:.80}) isn't possible on a pipeline into another dataset",
            next_step="Name it where the pipeline is made: dlt.pipeline(..., dataset_name=...).",
        )


def tellers() -> tuple[Callable[[int], None], Callable[[int], None]]:
    """Tell dlt's progress collector of each page, from any thread, and of each walk."""
    # asked for once: dlt resolves the pipeline's settings each time
    collector: Any = dlt.current.pipeline().collector if package_of_run() else NULL_COLLECTOR
    lock = threading.Lock()

    def on_page(chats: int) -> None:
        with lock:
            collector.update("pages read")
            collector.update("chats read", chats)

    def on_walk(walks: int) -> None:
        collector.update("accounts walked", total=walks)

    return on_page, on_walk
