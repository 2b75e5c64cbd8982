"""`make proof`: all of the proof, or a part of it, in so many seconds; what was found, and a page.

python -m tests.proof.run                       all, in under ten minutes on two cores
python -m tests.proof.run --seconds 60          a part, chosen by a seed
python -m tests.proof.run --seconds 1200        all, on a machine that is slow, or busy
python -m tests.proof.run --replay core:123     a line that a run printed
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Final

from tests.proof import tasks
from tests.proof.breaking import WORLDS
from tests.proof.crash import KINDS
from tests.proof.mutants import MUTANTS
from tests.proof.one_process import memory_folder
from tests.proof.report import PAGE, Report
from tests.proof.seeds import replay, tell_whole
from tests.proof.tasks import Outcome, chunks

WHOLE_SECONDS: Final = 540
"""What `make proof` may take, of the ten minutes."""
NEW_WORLDS: Final = 0.1
NEW_WORLDS_IN_PART: Final = 0.3
"""The share of the time that is for new worlds at least."""
SAME: Final = range(1, 9)
_TELL_EVERY: Final = 30.0
_LONG: Final = 60
"""Seconds from which on a part has two kinds of runs that die."""
Task = tuple[Callable[..., Outcome], tuple[Any, ...]]


class Proof:
    """A run of the proof.

    Args:
        seconds: How long it may take.
        seed: Chooses new worlds, and what is left out.
        partly: Whether things may be left out: all are tried in an order that the seed chooses.
    """

    def __init__(self, seconds: float, seed: int, *, partly: bool) -> None:
        self._began = time.monotonic()
        self._seconds = seconds
        self._seed = seed
        self._partly = partly
        self._told = 0.0
        self._random = Random(seed)
        self._cores = max(2, os.cpu_count() or 2)
        self.report = Report(seed, self._cores)

    def run(self) -> Report:
        """All of it."""
        context = get_context("spawn")  # a fork would share DuckDB's and Arrow's threads
        with (
            memory_folder() as folder,
            ProcessPoolExecutor(self._cores, context, tasks.begin, (folder,)) as pool,
        ):
            names, seeds = list(KINDS), list(SAME)
            if self._partly:
                names, seeds = self._random.sample(names, 1 + (self._seconds >= _LONG)), seeds[:1]
            first: list[Task] = [(tasks.scene, (name, folder)) for name in names]
            first += [(tasks.same, (seeds,)), *self._stories()]
            self._do(pool, iter(first), self._seconds)
            rest = [*self._corpus(), *self._crashes(), *self._mutants()]
            self._random.shuffle(rest)
            share = NEW_WORLDS_IN_PART if self._partly else NEW_WORLDS
            self._do(pool, iter(rest), self._seconds * (1 - share))
            most = self._seconds
            if not self._partly:
                most = min(most, max(WHOLE_SECONDS, self._passed + 60))
            self._do(pool, self._new_worlds(), most)
        self.report.seconds = self._passed
        return self.report

    @property
    def _passed(self) -> float:
        return time.monotonic() - self._began

    def _do(self, pool: ProcessPoolExecutor, given: Iterator[Task], until: float) -> None:
        """Tasks, as long as there is time to begin them."""
        running: set[Future[Outcome]] = set()
        while True:
            while len(running) < self._cores and self._passed < until:
                task = next(given, None)
                if task is None:
                    break
                running.add(pool.submit(task[0], *task[1]))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    outcome = future.result()
                except Exception as error:  # noqa: BLE001 - a piece that can't be done proves nothing
                    outcome = Outcome("broken", found=[("make proof", repr(error))])
                self.report.add(outcome)
            if self._passed > self._told + _TELL_EVERY:
                self._told = self._passed
                print(f"{self._told:4.0f} s  {self.report.so_far()}", flush=True)

    def _stories(self) -> list[Task]:
        if self._partly:
            return []
        paths = sorted(tasks.ROOT.glob("tests/proof/test_*.py"))
        files = [str(path.relative_to(tasks.ROOT)) for path in paths]
        apart = [f for f in files if f.endswith(("test_pipeline.py", "test_core.py"))]
        left = [f for f in files if f not in apart]
        groups = [*([f] for f in apart), left[::3], left[1::3], left[2::3]]
        long: Task = (tasks.stories, (["tests/proof/test_one_process.py"], "slow"))
        return [long, *((tasks.stories, (group,)) for group in groups)]

    def _corpus(self) -> list[Task]:
        return [(tasks.corpus, (numbers,)) for numbers in chunks(range(len(WORLDS)), 20)]

    def _crashes(self) -> Iterator[Task]:
        for made, fate in self.report.scenes.values():
            for moments in chunks(range(1, fate.passed.total() + 1), 6):
                yield tasks.crashes, (made, moments)
            for moments in chunks(fate.changed, 6):
                yield partial(tasks.crashes, moves=True), (made, moments)

    def _mutants(self) -> list[Task]:
        return [(tasks.mutants, ([number],)) for number in range(len(MUTANTS))]

    def _new_worlds(self) -> Iterator[Task]:
        for number in count():
            first = self._seed * 1_000_000 + number * 1_000
            yield tasks.core, (range(first, first + 30),)
            yield tasks.whole, (range(first, first + 3),)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns what the process ends with: 1 if something was found."""
    parser = argparse.ArgumentParser("tests.proof.run")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--replay")
    parser.add_argument("--digests", type=int, nargs="+")
    given = parser.parse_args(arguments)
    if given.digests or given.replay:
        with memory_folder() as folder:
            tasks.begin(folder)
            if given.replay:
                replay(given.replay, folder, print)
            for seed in given.digests or ():
                print(tell_whole(seed))
        return 0
    seconds = given.seconds or WHOLE_SECONDS
    partly = seconds < WHOLE_SECONDS
    report = Proof(seconds, given.seed, partly=partly).run()
    print(report.told())
    if not partly:
        PAGE.write_text(report.page(), "utf-8")
        print(f"{PAGE.relative_to(Path.cwd())} is written")
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
