"""Breaks of the package, and what finds them."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from operator import attrgetter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import CodeType
from typing import Any, Final

import pytest

from tests.proof import test_guarantees, test_history
from tests.proof.core import Core
from tests.proof.crash import KINDS, Scene
from tests.proof.history import History, steps_of
from tests.proof.machine import START
from tests.proof.one_process import memory_folder
from tests.proof.readings import corpus
from tests.proof.seeds import tell_whole, world_of
from tests.proof.tales import HAPPENINGS, ORDERS

Finder = Callable[[], object]
WORLDS: Final = corpus(sorted(HAPPENINGS), sorted(ORDERS))
_APART: Final = 37  # worlds that follow each other are much alike
_MOST_LANDINGS: Final = 12
_MOST_DEATHS: Final = 25
AFTER: Final = "after "


def worlds() -> None:
    """The corpus of worlds, until one of them shows that something is wrong."""
    for number in range(len(WORLDS)):
        world = WORLDS[number * _APART % len(WORLDS)]
        with counted(number + 1, "worlds"):
            History(world.options, START, 30, Core).tell(steps_of(world))


def landings() -> None:
    """Worlds through the whole pipeline, until one of them shows that something is wrong."""
    worlds = (world_of(seed) for seed in count())
    telling = (w for w in worlds if "account sick" in w.happenings and "named" in w.orders)
    for number, world in enumerate(islice(telling, _MOST_LANDINGS), 1):
        with counted(number, "worlds through the whole pipeline"):
            tell_whole(world.seed)


def deaths(kind: str) -> Finder:
    """Runs of a kind that go well, then that die here and there, until something is wrong."""

    def die() -> None:
        with memory_folder() as folder:
            scene = Scene(KINDS[kind], folder)
            with counted(1, "run"):
                moments = scene.prepare().passed.total()
            rest = Random(0).sample(range(1, moments + 1), _MOST_DEATHS)
            for number, moment in enumerate(rest, 1):
                with counted(number, "deaths"):
                    scene.play(moment)

    die.__name__ = "deaths"
    return die


@contextmanager
def counted(number: int, what: str) -> Iterator[None]:
    """Let an error say after how many it came."""
    try:
        yield
    except Exception as error:
        error.add_note(f"{AFTER}{number} {what if number > 1 else what.removesuffix('s')}")
        raise


def promise(name: str) -> Finder:
    """The story of a row of the guarantees."""
    return partial(test_guarantees.test_the_table_is_right_when_it_was_promised_and_no_sooner, name)


def lives() -> None:
    """The story of a chat that changes, goes and comes back."""
    with TemporaryDirectory() as folder:
        test_history.test_a_change_has_two_ends_and_a_chat_that_comes_back_two_lives(Path(folder))


@dataclass(frozen=True)
class Mutant:
    """A break: in a function's source, one text in place of another."""

    function: str
    old: str
    new: str
    found_by: Finder = worlds

    def __str__(self) -> str:
        return f"{self.function}: {self.old} -> {self.new}"

    def break_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give the function, wherever it was imported to, the broken code."""
        module_name, _, path = self.function.partition(":")
        module = importlib.import_module(f"postpress_source.{module_name}")
        found: Any = attrgetter(path)(module)
        function: Any = found.fget if isinstance(found, property) else found
        source = textwrap.dedent(inspect.getsource(function))
        source = source[source.index("def ") :]
        assert source.count(self.old) == 1, "the source is another now: write the mutant anew"
        broken = source.replace(self.old, self.new)
        space: dict[str, Any] = {}
        exec(f"from __future__ import annotations\n{broken}", vars(module), space)  # noqa: S102
        code: CodeType = space[function.__name__].__code__
        monkeypatch.setattr(function, "__code__", code)
