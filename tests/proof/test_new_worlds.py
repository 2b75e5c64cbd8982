"""Worlds and deaths that nobody has tried before: a slice of `make proof`, each time another.

What fails is said with the line that replays it; PROOF_SEED, which the report's head shows, chooses
the same slice again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import pytest

from tests.proof.crash import KINDS, Scene
from tests.proof.seeds import tell_core, tell_whole
from tests.proof.tasks import replays

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("active_pipeline", "quiet"),
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),
]

SEED = int(os.environ["PROOF_SEED"])  # tests/conftest.py


def while_there_is_time(seconds: float) -> Iterator[int]:
    """Numbers, as long as there is time."""
    until = time.monotonic() + seconds
    for number in count():
        if time.monotonic() > until:
            break
        yield number


def tried(what: Callable[[], object], line: str) -> None:
    try:
        what()
    except Exception as error:
        error.add_note(f"Again: {line}")
        raise


def test_what_is_promised_holds_in_new_worlds() -> None:
    for number in while_there_is_time(8):
        seed = SEED * 1_000_000 + number
        tried(partial(tell_core, seed), replays("core", seed))


def test_what_is_promised_holds_in_new_worlds_through_dlt_into_duckdb() -> None:
    for number in while_there_is_time(8):
        seed = SEED * 1_000_000 + number
        tried(partial(tell_whole, seed), replays("whole", seed))


@pytest.mark.parametrize("kind", KINDS)
def test_runs_after_a_death_make_it_good(kind: str, tmp_path: Path) -> None:
    scene = Scene(KINDS[kind], tmp_path / "scene")
    moments = list(range(1, scene.prepare().passed.total() + 1))
    Random(SEED).shuffle(moments)
    for number in while_there_is_time(4):
        moment = moments[number % len(moments)]
        tried(partial(scene.play, moment), replays("crash", f"{kind}:{moment}"))
