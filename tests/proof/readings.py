"""Every reading of the documents, and worlds that cover all pairs of them.

A *feature* of a world is a pair (what, which): a switch and its reading, or a happening, or a kind
of run. Two features are covered once a world of the corpus has both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any, Final

from postpress_source.sandbox import WorldOptions
from postpress_source.sandbox.options import FILTERS

Feature = tuple[str, Any]
Pair = frozenset[Feature]

_NONE: Final[tuple[str, ...]] = ()
HONEST: Final[dict[str, tuple[Any, ...]]] = {
    "order": (
        *("newest_first", "oldest_first", "by_creation", "by_id", "by_account", "shuffled"),
        "none",
    ),
    "nulls": ("last", "first", "mixed"),
    "cursor": ("keyset", "offset"),
    "cursor_lifetime": (None, 1, 5),
    "cursor_filters": ("carried", "wanted", "refused"),
    "trailing_page": (False, True),
    "short_pages": (False, True),
    "page_cap": (None, 2),
    "empty_every": (None, 2, 3),
    "time_filter": ("activity", "creation"),
    "timeless": ("out", "in"),
    "envelope": ("items", "data"),
    "error_envelope": ("flat", "nested"),
    "numbers": ("integers", "booleans", "floats", "texts"),
    "instants": ("milliseconds", "offset", "seconds", "microseconds", "no_zone"),
    "rounding": (False, True),
    "comma_fails": (True, False),
    "unknown_account": ("empty", "400", "404"),
    "sick_in_list": ("stale", "hidden", "fails"),
    "unknown_parameters": ("ignored", "refused"),
}
"""The switches whose readings a client can see through, the default first."""
LYING: Final[dict[str, tuple[Any, ...]]] = {
    "ties": ("stable", "unstable"),
    "sick_in_list": ("stale", "hidden", "fails", "first", "every_second"),
    "ignored_filters": (_NONE, *((name,) for name in FILTERS)),
    "first_page_filters": (_NONE, *((name,) for name in FILTERS)),
    "repeats": ("none", "extra", "instead"),
    "repeated_page": (1, 2),
    "repeat_times": (1, 3, None),
}
"""Those that can deceive it, and what they leave of the others."""
ALL: Final = {**HONEST, **LYING}
FIXED: Final = {"shuffle_seed", "sick_first"}
"""Numbers, not readings."""
assert {field.name for field in fields(WorldOptions)} == ALL.keys() | FIXED


def contradict(one: Feature, other: Feature) -> bool:
    """Whether no world has both."""
    both = dict((one, other))
    if both.keys() == {"ignored_filters", "first_page_filters"}:
        return bool(set(both["ignored_filters"]) & set(both["first_page_filters"]))
    return both == {"repeats": "extra", "repeat_times": None}


def pairs_of(features: Iterable[Feature]) -> Iterator[Pair]:
    """All pairs of features."""
    return map(frozenset, itertools.combinations(features, 2))


def reading_pairs(switches: Mapping[str, Sequence[Any]]) -> set[Pair]:
    """All pairs of readings that a world can have."""
    return {
        frozenset(((one, a), (other, b)))
        for one, other in itertools.combinations(switches, 2)
        for a in switches[one]
        for b in switches[other]
        if not contradict((one, a), (other, b))
    }


def covering(switches: Mapping[str, Sequence[Any]], rng: Random) -> Iterator[dict[str, Any]]:
    """Worlds' switches that have every pair of readings among them; greedy."""
    left = reading_pairs(switches)
    while left:
        world = dict(min(left, key=lambda pair: sorted(map(repr, pair))))
        for name in rng.sample(sorted(switches.keys() - world.keys()), len(switches) - 2):
            allowed = [
                value
                for value in switches[name]
                if not any(contradict((name, value), feature) for feature in world.items())
            ]
            world[name] = max(
                rng.sample(allowed, len(allowed)),
                key=lambda value: sum(
                    frozenset(((name, value), feature)) in left for feature in world.items()
                ),
            )
        left -= set(pairs_of(world.items()))
        yield world


@dataclass(frozen=True)
class Drawn:
    """A world of the corpus: its switches, and what is to be told of it."""

    switches: Mapping[str, Any]
    seed: int
    happenings: tuple[str, ...]
    orders: tuple[str, ...]

    @property
    def options(self) -> WorldOptions:
        return WorldOptions(**self.switches, shuffle_seed=self.seed, sick_first=2)

    @property
    def pairs(self) -> set[Pair]:
        """The pairs that it covers: of two readings, or of a reading and something else."""
        readings = list(self.switches.items())
        others = [("happening", name) for name in self.happenings]
        others += [("run", name) for name in self.orders]
        return {*pairs_of(readings), *map(frozenset, itertools.product(readings, others))}


def corpus(happenings: Sequence[str], orders: Sequence[str]) -> list[Drawn]:
    """Worlds that cover all pairs, always the same: first those that don't lie."""
    rng = Random(7)
    switches = [*covering(HONEST, rng), *covering(ALL, rng)]
    left = wanted_pairs(happenings, orders)
    worlds = []
    for seed, chosen in enumerate(switches):
        told = _pick("happening", happenings, 10, chosen, left, rng)
        world = Drawn(chosen, seed, told, _pick("run", orders, 5, chosen, left, rng))
        left -= world.pairs
        worlds.append(world)
    return worlds


def _pick(
    kind: str,
    names: Sequence[str],
    number: int,
    switches: Mapping[str, Any],
    left: set[Pair],
    rng: Random,
) -> tuple[str, ...]:
    """Those of the names that cover most of what is left."""

    def news(name: str) -> int:
        return sum(frozenset((reading, (kind, name))) in left for reading in switches.items())

    return tuple(sorted(rng.sample(names, len(names)), key=news, reverse=True)[:number])


def wanted_pairs(happenings: Sequence[str], orders: Sequence[str]) -> set[Pair]:
    """All pairs that the corpus is to cover."""
    readings = [(name, value) for name, values in ALL.items() for value in values]
    others = [("happening", name) for name in happenings] + [("run", name) for name in orders]
    return reading_pairs(ALL) | set(map(frozenset, itertools.product(readings, others)))
