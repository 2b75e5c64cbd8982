"""Some of the corpus's worlds through the whole pipeline: real HTTP, dlt, DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postpress_source.sandbox import Sandbox, World, serve
from tests.proof.history import History, steps_of
from tests.proof.readings import Drawn, corpus
from tests.proof.tales import HAPPENINGS, ORDERS, WatchedWorld
from tests.proof.whole import WholePipeline

CORPUS = corpus(sorted(HAPPENINGS), sorted(ORDERS))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    environment = pytest.MonkeyPatch()
    environment.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "1")
    # one after the other, so that the same history gives the same walks
    environment.setenv("SOURCES__POSTPRESS__PARALLEL_ACCOUNTS", "1")
    with serve(World()) as sandbox:
        yield sandbox
    environment.undo()


@pytest.mark.slow
@pytest.mark.parametrize("world", CORPUS[3::10], ids=lambda world: f"world {world.seed}")
def test_what_is_promised_holds_through_the_whole_pipeline(
    world: Drawn, sandbox: Sandbox, tmp_path: Path
) -> None:
    def follow(watched: WatchedWorld) -> WholePipeline:
        sandbox.reset(watched)
        return WholePipeline(tmp_path, sandbox.url)

    now = datetime.now(UTC).replace(microsecond=0)
    History(world.options, now, 30, follow, print).tell(steps_of(world)[:3])
