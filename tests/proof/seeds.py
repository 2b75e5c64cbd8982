"""Worlds out of a seed: the readings, what happens, and the runs that follow.

Each seed leaves much out (swarm testing): of the readings most are the usual ones, and only some
kinds of happenings and of runs are in it, so that what hides others isn't in every world.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import duckdb

from tests.proof.core import Core
from tests.proof.crash import KINDS, Say, Scene, silent
from tests.proof.history import History, steps_of
from tests.proof.judge import Walked
from tests.proof.landed import Ask
from tests.proof.listing import Order
from tests.proof.machine import START
from tests.proof.one_process import URL, memory_folder, one_process
from tests.proof.place import Place
from tests.proof.readings import ALL, HONEST, Drawn, contradict
from tests.proof.right import entangled
from tests.proof.tales import HAPPENINGS, ORDERS, WatchedWorld
from tests.proof.whole import WholePipeline

MOST_STEPS: Final = 4
"""Of a history through the whole pipeline, where a run takes a third of a second."""

_NONE: Final = timedelta(0)
_SKEWED: Final = 0.3
"""The share of worlds in which the machine's clock is wrong at times."""

TABLES: Final = (
    *("chats", "chats__folder", "chats__disabled_features"),
    *("chats_history", "chat_walks", "chat_walk_accounts"),
)


def world_of(seed: int) -> Drawn:
    """The world of a seed."""
    rng = Random(seed)
    readings = rng.choice([HONEST, HONEST, ALL])
    share = rng.choice([0.05, 0.2, 0.5])
    switches: dict[str, Any] = {}
    for name in rng.sample(sorted(ALL), len(ALL)):
        values = readings.get(name, ALL[name][:1])
        value = rng.choice(values) if rng.random() < share else values[0]
        clash = any(contradict((name, value), feature) for feature in switches.items())
        switches[name] = values[0] if clash else value
    happenings = rng.sample(sorted(HAPPENINGS), rng.randint(3, 12))
    orders = rng.sample(sorted(ORDERS), rng.randint(1, 6))
    return Drawn(switches, seed, tuple(happenings), tuple(orders))


def chats_of_seed(seed: int) -> int:
    """How many chats there are at first."""
    return (3, 12, 30, 30)[seed % 4]


def tell_core(seed: int, say: Say = silent) -> Drawn:
    """The history of a seed's world, and of the decisions that follow it.

    Raises:
        AssertionError: Something that is promised didn't hold.
    """
    world = world_of(seed)
    History(world.options, START, chats_of_seed(seed), Core, say).tell(steps_of(world))
    return world


class Skewed(WholePipeline):
    """A pipeline on a machine whose clock is set ahead and back, for so many runs; then right.

    Args:
        folder: The pipeline's.
        ask: Gives the rows of a query.
        random: Chooses by how much.
        runs: How many.
    """

    def __init__(self, folder: Path, ask: Ask, random: Random, runs: int) -> None:
        super().__init__(folder, URL)
        self.ask = ask
        choices = [_NONE] * 4 + [timedelta(minutes=20), timedelta(hours=-5), timedelta(days=2)]
        lively = random.random() < _SKEWED
        self._skews = [random.choice(choices) if lively else _NONE for _ in range(runs)]
        self._skew = _NONE

    def skew(self) -> timedelta:
        """How far ahead it is now."""
        return self._skew

    def run(self, order: Order) -> Sequence[Walked]:
        """One run."""
        self._skew = self._skews.pop(0) if self._skews else _NONE
        return super().run(order)


def tell_whole(seed: int, say: Say = silent) -> str:
    """The same, through dlt into DuckDB, history included; walks side by side as the seed says.

    Returns:
        A digest of the requests and of all tables, the ledger included.

    Raises:
        AssertionError: Something that is promised didn't hold.
    """
    world, requests = world_of(seed), list[str]()
    with ExitStack() as stack:
        folder = stack.enter_context(memory_folder())
        place = stack.enter_context(closing(Place(folder)))

        steps = steps_of(world)[:MOST_STEPS]

        def follow(watched: WatchedWorld) -> WholePipeline:
            nonlocal requests
            whole = Skewed(folder, place.ask, Random(seed), len(steps))
            requests = stack.enter_context(one_process(watched, seed, skew=whole.skew))
            return whole

        History(world.options, START, chats_of_seed(seed), follow, say).tell(steps)
        return _digest(requests, judged(place.ask))


def judged(ask: Ask) -> dict[str, list[dict[str, Any]]]:
    """All tables, of which history is of one piece and says what is so now."""
    tables = {}
    for name in TABLES:
        with suppress(duckdb.CatalogException):  # nothing may have landed
            tables[name] = ask(f"SELECT * FROM {name} ORDER BY ALL")  # noqa: S608
    history = sorted(tables.get("chats_history", []), key=lambda v: (v["id"], v["seen_from"]))
    found = list(entangled(history))
    assert not found, found
    current = {row["id"]: row["version"] for row in history if row["seen_until"] is None}
    there = {row["id"]: row["version"] for row in tables.get("chats", [])}
    assert current == there, f"history's present isn't: {current.items() ^ there.items()}"
    return tables


def _digest(*values: Any) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def replay(which: str, folder: Path, say: Say) -> None:
    """Tell again what a line to copy names: `core:SEED`, `whole:SEED`, or `crash:KIND:MOMENT`, with
    `:moved` behind it where the runs after the death are on another machine.
    """
    part, _, rest = which.partition(":")
    if part == "crash":
        name, number, *moved = rest.split(":")
        scene = Scene(KINDS[name], folder)
        scene.prepare()
        say(f"{name}, dead before moment {number}")
        fate = scene.play(int(number), moves=bool(moved), say=say)
        say(f"right after {fate.runs_after} runs")
    else:
        {"core": tell_core, "whole": tell_whole}[part](int(rest), say)
