"""Kinds of runs that die at each of their moments, and what is there after the runs that follow.

The tables are compared with a plain re-listing of the world: no chat is missing, stale, there
twice, or there though it is gone; history tells of each chat one life without an overlap, and what
was so before is still told; the ledger has each walk once.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from errno import ENOTEMPTY
from pathlib import Path
from typing import Any, Final

from dlt.common.exceptions import TerminalValueError
from dlt.common.schema.exceptions import InvalidSchemaName
from dlt.common.storages.exceptions import LoadPackageAlreadyCompleted
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source.sandbox import World
from tests.cut_off import lost_acknowledgements
from tests.proof.machine import START
from tests.proof.moments import Dead, Fate
from tests.proof.place import Place
from tests.proof.right import left_behind, wrong

MINUTE: Final = timedelta(minutes=1)
FULL: Final[Mapping[str, Any]] = {"full_walk_every": timedelta(0)}
Load = Callable[[World], object]
Run = Callable[[], object]
Say = Callable[[str], object]
MOST_RUNS: Final = 2
"""After a death the tables are right within so many."""


def inbox() -> World:
    """24 chats of three accounts, some with lists, the newest first."""
    world = World(now=START, seed=5)
    for number in range(24):
        account = f"a{number % 3 + 1}"
        if account not in world.accounts:
            world.connect_account("LINKEDIN", id=account)
        lists: dict[str, Any] = {"folder": ["one", "two"]} if number % 2 else {"folder": []}
        world.new_chat(
            account,
            id=f"c{number:02}",
            at=START - timedelta(hours=3) * number,
            unread_count=number % 2,
            **lists,
        )
    return world


def _first(world: World, load: Run) -> None:
    """Nothing was loaded before."""


def _head(world: World, load: Run) -> None:
    load()
    world.receive_message("c20")
    world.new_chat("a2", id="n1")
    world.edit("c01", folder=[])


def _full(world: World, load: Run) -> None:
    load()
    world.delete_chat("c09")
    world.delete_chat("c16")
    world.rename("c22", "renamed")
    world.edit("c19", folder=["three"])


def _repair(world: World, load: Run) -> None:
    with ExitStack() as cut_off:
        for table in ("chats", "chats__folder", "chats_history"):
            cut_off.enter_context(lost_acknowledgements(table))
        load()
    world.receive_message("c23")


@dataclass(frozen=True)
class Kind:
    """A kind of run: what was before it, its arguments, and what happens after it died."""

    name: str
    before: Callable[[World, Run], None]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    deletes: bool = False

    def world(self, load: Load = lambda world: None) -> World:
        """The world as the run finds it, always the same; runs before it by `load`."""
        world = inbox()
        self.before(world, lambda: (load(world), world.advance(MINUTE, activity=0)))
        return world

    def go_on(self, world: World) -> None:
        """What happens between the death and the next run."""
        world.advance(MINUTE, activity=0)
        world.receive_message("c13")
        world.new_chat("a1", id="n2")
        if self.deletes:
            world.delete_chat("c05")


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("first load", _first),
        Kind("head walk", _head),
        Kind("full walk that deletes", _full, FULL, deletes=True),
        Kind("walk that repairs", _repair),
    )
}


def silent(line: str) -> None:
    """Say nothing."""


@dataclass
class Scene:
    """A kind of run, ready to be played again and again, from copies of the same folder.

    Attributes:
        folder: Where its template is, and the copies.
    """

    kind: Kind
    folder: Path
    past: dict[datetime, dict[str, str]] = field(default_factory=dict)

    def prepare(self) -> Fate:
        """Make the template, and count the moments of the run, which goes well.

        Raises:
            AssertionError: It doesn't.
        """
        self._template.mkdir(parents=True)

        def load(world: World) -> None:
            with closing(Place(self._template)) as place:
                place.run(world, Fate(None, self._template))
                ((last,),) = (row.values() for row in place.ask(_LAST_RUN))
                rows = place.ask("SELECT DISTINCT id, version FROM chats")
                self.past[last] = {row["id"]: row["version"] for row in rows}

        self.kind.world(load)
        fate = self.play(None)
        again = self.play(None)
        assert fate.passed == again.passed, "the same run has other moments"
        return fate

    def play(self, number: int | None, *, moves: bool = False, say: Say = silent) -> Fate:
        """Let the run die at this moment, and see what those after it make of it.

        Args:
            number: The moment, from 1; None: it lives.
            moves: Whether they are on another machine, without its working folder.
            say: Told of each step.

        Raises:
            AssertionError: They don't make it right.
        """
        copy = self.folder / f"{number}"
        shutil.copytree(self._template, copy)
        world, fate = self.kind.world(), Fate(number, copy)
        try:
            with closing(Place(copy)) as place:
                with suppress(Dead):
                    place.run(world, fate, **self.kind.arguments)
                assert fate.dead == (number is not None), "there is no such moment"
                gc.collect()  # what the dead held open
                say(fate.last)
                if moves:
                    shutil.rmtree(place.folder / "pipelines")
                self._go_on(world, place, fate, say)
                left = list(left_behind(place.ask))
                fate.left = bool(left)
                assert moves or fate.stuck or not left, left
        except Exception as error:
            where = " and gone on with elsewhere" if moves else ""
            error.add_note(f"{self.kind.name}, dead at moment {number}{where}: {fate.last}")
            raise
        finally:
            shutil.rmtree(copy)
        return fate

    def _go_on(self, world: World, place: Place, fate: Fate, say: Say) -> None:
        self.kind.go_on(world)
        found: list[str] = []
        while fate.runs_after < MOST_RUNS:
            fate.runs_after += 1
            try:
                place.run(world, Fate(None, place.folder), **self.kind.arguments)
            except (PipelineStepFailed, TerminalValueError) as error:
                cause = error.exception if isinstance(error, PipelineStepFailed) else error
                if fate.stuck or not is_stuck(cause):
                    raise
                say(f"dlt is stuck: {cause}")
                fate.stuck, fate.runs_after = type(cause).__name__, 0
                shutil.rmtree(place.folder / "pipelines")  # as on a new machine
                continue
            found = list(wrong(place.ask, world, self.past))
            say(f"run {fate.runs_after}: {', '.join(found) or 'all is right'}")
            if not found:
                break
            world.advance(MINUTE, activity=0)
        assert not found, found
        if not self.kind.arguments:
            full = len(place.ask("SELECT DISTINCT started_at FROM chat_walks WHERE kind = 'full'"))
            allowed = 3 if self.kind.before is _repair else 2
            assert full <= allowed, f"{full} full walks, and {allowed} were due at most"

    @property
    def _template(self) -> Path:
        return self.folder / "template"


_LAST_RUN: Final = "SELECT MAX(started_at) AS at FROM chat_walks"


def is_stuck(cause: BaseException) -> bool:
    """Whether dlt can't go on by itself, before the source is asked for anything.

    dlt 1.31 moves and deletes the folder of a package file by file, notes that a package is
    complete before it moves it, and writes schemas and jobs to files beside the others, which it
    then renames: who dies in between leaves what stops each run after it.
    """
    if isinstance(cause, OSError):
        left = cause.errno == ENOTEMPTY or Path(cause.filename or "").name == "schema.json"
        return left and "/pipelines/" in str(cause.filename)
    return isinstance(cause, LoadPackageAlreadyCompleted | InvalidSchemaName | TerminalValueError)
