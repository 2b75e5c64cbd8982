"""What `make proof` does, in pieces that any process can do alone."""

from __future__ import annotations

import gc
import logging
import os
import re
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import dlt
import pytest

from tests.proof.breaking import AFTER, WORLDS
from tests.proof.core import Core
from tests.proof.crash import KINDS, Scene
from tests.proof.history import History, steps_of
from tests.proof.machine import START
from tests.proof.mutants import MUTANTS
from tests.proof.readings import Drawn
from tests.proof.seeds import tell_core, tell_whole

ROOT: Final = Path(__file__).parents[2]
STORIES: Final = (
    *("-k", "not under_every_pair and not test_the_page", "-q", "-n0", "-x"),
    *("-p", "no:cacheprovider", "--no-header"),
)


@dataclass
class Outcome:
    """What a piece was, and what came of it.

    Attributes:
        part: Which part of the proof it belongs to.
        done: How many (moments, worlds, mutants, ...).
        found: What isn't as promised: each with the line that replays it, and in words.
        notes: What the page tells of it.
    """

    part: str
    done: int = 0
    found: list[tuple[str, str]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def try_it(self, line: str, what: Callable[[], object]) -> Any:
        """Do one, and note what was found; returns what it returns, None if it failed."""
        self.done += 1
        try:
            return what()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is found
            notes = "; ".join(getattr(error, "__notes__", ()))
            said = "".join(traceback.format_exception_only(error)).strip()
            self.found.append((line, f"{said[:600]} {notes}".strip()))
            return None


def begin(folder: Path) -> None:
    """Make a process ready: quiet, and with the pipeline that progress is reported to.

    Args:
        folder: For that pipeline.
    """
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    logging.getLogger("postpress_source").disabled = True
    _of_progress.append(dlt.pipeline("proof", pipelines_dir=str(folder / f"{os.getpid()}")))
    gc.freeze()


_of_progress: Final[list[dlt.Pipeline]] = []


def _activate() -> None:
    _of_progress[-1].activate()


def stories(files: Sequence[str], marked: str = "not slow") -> Outcome:
    """The single stories and properties of tests/proof, as the test suite has them."""
    outcome = Outcome("stories")
    command = [sys.executable, "-m", "pytest", *STORIES, "-m", marked, *files]
    ours = {k: v for k, v in os.environ.items() if k != "RUNTIME__LOG_LEVEL"}
    ended = subprocess.run(command, cwd=ROOT, env=ours, capture_output=True, text=True, check=False)
    last = ended.stdout.strip().splitlines()[-1:]
    passed = re.search(r"(\d+) passed", "".join(last))
    outcome.done = int(passed[1]) if passed else 0
    if ended.returncode:
        failed = [
            line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))
        ]
        for line in failed or [f"ERROR {files[0]}"]:
            name, _, why = line.partition(" ")[2].partition(" - ")
            outcome.found.append((f".venv/bin/pytest -n0 '{name}'", why or ended.stdout[-600:]))
    return outcome


def corpus(numbers: Sequence[int]) -> Outcome:
    """Worlds of the corpus that covers all pairs of readings, and of a reading and a happening."""
    outcome = Outcome("corpus", notes={"numbers": numbers})
    for number in numbers:
        world = WORLDS[number]
        outcome.try_it(
            f".venv/bin/pytest -n0 'tests/proof/test_readings.py' -k 'world and {number}'",
            partial(_tell, world),
        )
    return outcome


def _tell(world: Drawn) -> None:
    History(world.options, START, 30, Core).tell(steps_of(world))


def core(seeds: Sequence[int]) -> Outcome:
    """New worlds, the decisions alone."""
    outcome = Outcome("core")
    pairs: set[Any] = set()
    for seed in seeds:
        world = outcome.try_it(replays("core", seed), partial(tell_core, seed))
        pairs |= world.pairs if world else set()
    outcome.notes["pairs"] = pairs
    return outcome


def whole(seeds: Sequence[int]) -> Outcome:
    """New worlds, through dlt into DuckDB."""
    outcome = Outcome("whole")
    digests = {s: outcome.try_it(replays("whole", s), partial(tell_whole, s)) for s in seeds}
    _activate()
    outcome.notes["digests"] = digests
    return outcome


def same(seeds: Sequence[int]) -> Outcome:
    """The same seeds in two processes that hash differently give the same, byte for byte."""
    outcome = Outcome("same", done=len(seeds))
    with ThreadPoolExecutor() as both:
        of_one, of_other = both.map(partial(_digests_of, seeds), ("1", "2"))
    for seed, one, other in zip(seeds, of_one, of_other, strict=True):
        if one != other:
            outcome.found.append((replays("whole", seed), f"it isn't the same each time: {seed}"))
    outcome.notes["digests"] = dict(zip(seeds, of_one, strict=True))
    return outcome


def _digests_of(seeds: Sequence[int], hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "tests.proof.run", "--digests", *map(str, seeds)]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return ended.stdout.split()


def scene(name: str, folder: Path) -> Outcome:
    """A kind of run, its template made and its moments counted."""
    outcome = Outcome("scene")
    made = Scene(KINDS[name], folder / name)
    fate = outcome.try_it(replays("crash", f"{name}:none"), made.prepare)
    _activate()
    return Outcome("scene", 1, outcome.found, {"kind": name, "scene": made, "fate": fate})


def crashes(made: Scene, moments: Sequence[int], *, moves: bool = False) -> Outcome:
    """A run that dies at these of its moments."""
    outcome, fates = Outcome("crash"), []
    for moment in moments:
        line = replays("crash", f"{made.kind.name}:{moment}{':moved' * moves}")
        fates.append(outcome.try_it(line, partial(made.play, moment, moves=moves)))
    _activate()
    lived = [fate for fate in fates if fate]
    if moves:
        left = sum(fate.left for fate in fates if fate)
        return Outcome("moved", outcome.done, outcome.found, {"left": left})
    outcome.notes = {
        "kind": made.kind.name,
        "visited": Counter(fate.last.partition(":")[0] for fate in lived),
        "after": Counter("stuck" if fate.stuck else fate.runs_after for fate in lived),
        "stuck": Counter(fate.stuck for fate in lived if fate.stuck),
    }
    return outcome


def mutants(numbers: Sequence[int]) -> Outcome:
    """Breaks of the package, each of which must be found."""
    outcome, rows = Outcome("mutants"), []
    for number in numbers:
        mutant = MUTANTS[number]
        outcome.done += 1
        after = ""
        try:
            with pytest.MonkeyPatch.context() as patch:
                mutant.break_it(patch)
                mutant.found_by()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is found
            notes = [n for n in getattr(error, "__notes__", ()) if n.startswith(AFTER)]
            after = notes[0] if notes else "by its story"
        else:
            line = f".venv/bin/pytest -n0 tests/proof/test_mutants.py  # {mutant}"
            outcome.found.append((line, f"the break isn't found: {mutant}"))
        _activate()
        rows.append((str(mutant), name_of(mutant.found_by), after))
    outcome.notes["rows"] = rows
    return outcome


def name_of(finder: Any) -> str:
    """What finds a mutant."""
    return str(getattr(finder, "func", finder).__name__)


def replays(part: str, what: object) -> str:
    """The line to copy."""
    return f"make proof REPLAY='{part}:{what}'"


def chunks(items: Sequence[Any], size: int) -> list[list[Any]]:
    """The items, so many at a time."""
    iterator = iter(items)
    return list(iter(lambda: list(islice(iterator, size)), []))
