"""What a run of the proof did and found: in words for who ran it, and as the page."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.proof.breaking import WORLDS
from tests.proof.claims import CLAIMS
from tests.proof.crash import Scene
from tests.proof.moments import Fate
from tests.proof.mutants import MUTANTS
from tests.proof.readings import wanted_pairs
from tests.proof.tales import HAPPENINGS, ORDERS
from tests.proof.tasks import Outcome

PAGE: Final = Path(__file__).parents[2] / "docs" / "proof.md"
PARTS: Final = {
    "stories": "Single stories and properties, as the test suite has them",
    "corpus": "Worlds that cover all pairs of readings, the decisions alone",
    "crash": "Deaths at a moment of a run, and the runs after it",
    "moved": "Deaths right after a change of the destination, and the runs on another machine",
    "mutants": "Deliberate breaks of the package",
    "core": "New worlds, the decisions alone",
    "whole": "New worlds, through dlt into DuckDB, with history",
    "same": "Worlds told in two processes that hash differently",
}
MOMENTS: Final = ("request", "spool", "file", "statement", "commit")


@dataclass
class Report:
    """Collects outcomes.

    Attributes:
        seed: What the run was given.
        cores: How many processes there were.
        scenes: By kind of run, what it is played from, and its moments.
        found: Each with the line that replays it.
    """

    seed: int
    cores: int
    seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    scenes: dict[str, tuple[Scene, Fate]] = field(default_factory=dict)
    found: list[tuple[str, str]] = field(default_factory=list)
    visited: dict[str, Counter[str]] = field(default_factory=dict)
    after: dict[str, Counter[Any]] = field(default_factory=dict)
    left: int = 0
    stuck: Counter[str] = field(default_factory=Counter)
    pairs: set[Any] = field(default_factory=set)
    mutants: list[tuple[str, str, str]] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Note what came of a piece, and say at once what was found."""
        self.done[outcome.part] += outcome.done
        self.found += outcome.found
        for line, what in outcome.found:
            print(f"FOUND  {what}\n       {line}\n", flush=True)
        notes = outcome.notes
        if outcome.part == "scene" and notes["fate"]:
            self.scenes[notes["kind"]] = notes["scene"], notes["fate"]
        if outcome.part == "crash":
            self.visited.setdefault(notes["kind"], Counter()).update(notes["visited"])
            self.after.setdefault(notes["kind"], Counter()).update(notes["after"])
            self.stuck += notes["stuck"]
        self.left += notes.get("left", 0)
        if outcome.part == "corpus" and not outcome.found:
            self.pairs.update(*(WORLDS[number].pairs for number in notes["numbers"]))
        self.pairs |= notes.get("pairs", set())
        self.mutants += notes.get("rows", ())
        if outcome.part == "same":
            self.digests = notes["digests"]

    # --- told ------------------------------------------------------------------------------------

    def told(self) -> str:
        """What was run and found, in short."""
        lines = [f"{what}: {self._done(part)}" for part, what in PARTS.items() if self.done[part]]
        lines.append(f"Pairs visited: {self._pairs()}")
        lines.append(f"{self.seconds:.0f} s in {self.cores} processes, seed {self.seed}")
        again = [f"  {line}" for line, _ in self.found]
        lines += [f"{len(self.found)} found; each again by", *again] if again else ["Nothing found"]
        return "\n".join(lines)

    def so_far(self) -> str:
        """How far it has come, on a line."""
        parts = (f"{part}: {self._done(part)}" for part in PARTS if self.done[part])
        return f"{'; '.join(parts)}; {len(self.found)} found"

    def _done(self, part: str) -> str:
        if part == "crash":
            visited = sum(map(Counter.total, self.visited.values()))
            return f"{visited:,} of {sum(f.passed.total() for _, f in self.scenes.values()):,}"
        if part == "moved":
            there = sum(len(fate.changed) for _, fate in self.scenes.values())
            return f"{self.done[part]:,} of {there:,}"
        if part == "mutants":
            found = sum(bool(after) for _, _, after in self.mutants)
            return f"{self.done[part]} of {len(MUTANTS)} tried, {found} found"
        return f"{self.done[part]:,}"

    def _pairs(self) -> str:
        wanted = wanted_pairs(sorted(HAPPENINGS), sorted(ORDERS))
        return f"{len(wanted & self.pairs):,} of {len(wanted):,}"

    # --- the page --------------------------------------------------------------------------------

    def page(self) -> str:
        """docs/proof.md."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        tested = ", ".join(f"{name} {version(name)}" for name in ("dlt", "duckdb", "pyarrow"))
        yield _HEAD.format(
            seed=self.seed,
            seconds=f"{self.seconds:.0f}",
            cores=self.cores,
            tested=f"Python {platform.python_version()}, {tested}",
            found=f"{len(self.found)} things were found" if self.found else "Nothing was found",
        )
        yield from _table(
            ("what was run", "how many"), ((what, self._done(p)) for p, what in PARTS.items())
        )
        of = "of readings, and of a reading and a happening or kind of run"
        yield f"\nPairs {of}: {self._pairs()}."
        yield _DEATHS
        yield from _table(
            (
                *("kind of run", *(f"{kind}s" if kind != "spool" else kind for kind in MOMENTS)),
                *("visited", "right after 1 run", "after 2", "dlt was stuck"),
            ),
            map(self._row_of_kind, self.scenes),
        )
        if self.stuck:
            said = ", ".join(f"`{name}` {number}" for name, number in sorted(self.stuck.items()))
            yield f"\nWhat dlt said where it was stuck: {said}."
        yield _MOVED.format(moved=self._done("moved"), left=self.left)
        yield _MUTANTS
        yield from _table(("break", "found by", "when"), map(_row_of_mutant, sorted(self.mutants)))
        yield _SAME
        yield from _table(("seed", "digest"), ((f"{s}", f"`{d}`") for s, d in self.digests.items()))
        yield _CLAIMS
        yield from _table(("what", "where it is proved"), CLAIMS)
        yield _NOT

    def _row_of_kind(self, kind: str) -> tuple[str, ...]:
        passed, visited = self.scenes[kind][1].passed, self.visited.get(kind, Counter())
        after = self.after.get(kind, Counter())
        return (
            kind,
            *(f"{visited[name]} of {passed[name]}" for name in MOMENTS),
            f"{visited.total()} of {passed.total()}",
            *(f"{after[how]}" for how in (1, 2, "stuck")),
        )


def _row_of_mutant(row: tuple[str, str, str]) -> tuple[str, ...]:
    name, by, after = (" ".join(text.split()).replace("|", "\\|") for text in row)
    return f"`{name}`", by.replace("test_", "").replace("_", " "), after or "**not found**"


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"


_HEAD: Final = """\
# Proof

What was tried to make this connector lose, double or invent a chat, and what came of it. The \
page is generated by `make proof`; every number in it comes from that run: seed {seed}, \
{seconds} s in {cores} processes, {tested}. {found}.

```
make proof                      # all of it, in under ten minutes on two cores; writes this page
make proof SECONDS=60           # a part, chosen by a new seed
make proof SECONDS=1200         # all of it, on a slow or busy machine
make proof SEED=123             # with the new worlds of that seed
make proof REPLAY=whole:123     # one world again, told as it goes
```

Whatever is found is printed with the line that replays it, and ends the run with status 1. A \
world answers by itself, without a socket; its clock is the machine's; walks side by side go on \
one at a time, as the seed says, and a run dies where it is told to. So a seed is the same on \
every machine. What is right is judged by a plain re-listing of the world, which imports none of \
the package (`tests/proof/judge.py`, `right.py`).

## What was run
"""
_DEATHS: Final = """
## Deaths

A run is ended before each thing that outlives it or leaves it: a request and its answer, a \
write to the spool, a change of a file in the pipeline's working folder (load package, state, \
schemas), a statement that changes the destination, a commit. From there on nothing gets past \
it. Then chats change, and runs follow as usual: after two at most the tables are the list, \
arrays and history included, no version overlaps another, the past is told as before, and the \
ledger has each walk once (but for the copy that [guarantees](guarantees.md) speaks of). *dlt \
was stuck*: what was left in the working folder stops dlt before it asks the source for \
anything; once the folder is deleted (as on a new machine) the same holds.
"""
_MOVED: Final = """
Right after a change of the destination the runs are also gone on with on another machine, which \
has nothing of the working folder: {moved}. `chats`, its arrays and history are right then, too. \
After {left} of these deaths a part of the load that never ended is still there (a row of \
`chat_walks`, or versions whose run has none): `_dlt_loads` doesn't have such a load."""
_MUTANTS: Final = """
## Breaks that must be found

Each is put into the package, and the proof has to find it.
"""
_SAME: Final = """
## The same elsewhere

A digest of all requests and of all tables, the ledger included, of these worlds: `python -m \
tests.proof.run --digests 1 2 3`.
"""
_CLAIMS: Final = """
## Which property proves what
"""
_NOT: Final = """
## What this doesn't show

A process that dies leaves whole files: of a file that is half written only the empty one is \
visited. Statements of DuckDB are whole or not at all; what happens inside it is its own. The \
moments are those of one thread at a time. PostgreSQL, two pipelines at once and real \
connections are tried by the test suite, not here.
"""
