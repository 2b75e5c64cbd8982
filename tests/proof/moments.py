"""Every moment at which a run can die, by number: dead there, what do the runs after it make of it?

A moment lies before each thing that outlives the process or leaves it: a request and its answer, a
write to the spool, a change of a file (of the load package, of state, of schemas), a statement that
changes the destination, a commit. So the moment after one of them is that before the next. From
then on nothing can be done any more: no file, statement or request gets past the dead.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

from postpress_source.sandbox import World
from postpress_source.walks.spool import Spool
from tests.proof.one_process import one_process

_CHANGES_A_FILE: Final = {
    *("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("shutil.move", "shutil.rmtree", "shutil.copyfile"),
}
_READS: Final = ("SELECT", "WITH", "PRAGMA", "SET", "USE", "DESCRIBE", "SHOW")


class Dead(BaseException):
    """The process has ended here."""


@dataclass
class Fate:
    """Counts the moments of a run, and ends it at one of them.

    Attributes:
        at: The number of the moment, from 1; None: the run lives.
        folder: Whose files count.
        passed: How many have come, by kind.
        last: The last one, in words.
        changed: Those before which the destination has just changed.
        runs_after: After how many runs all was right again.
        left: Whether a part of a load that never ended is still there.
        stuck: What dlt said when it couldn't go on before its working folder was deleted.
    """

    at: int | None
    folder: Path
    passed: Counter[str] = field(default_factory=Counter)
    changed: list[int] = field(default_factory=list)
    last: str = ""
    runs_after: int = 0
    dead: bool = False
    left: bool = False
    stuck: str = ""

    def meet(self, kind: str, what: str) -> None:
        """A moment comes."""
        if self.dead:
            raise Dead
        if self.last.startswith(("statement", "commit")):
            self.changed.append(self.passed.total() + 1)
        self.passed[kind] += 1
        self.last = f"{kind}: {what}"
        if self.passed.total() == self.at:
            self.dead = True
            raise Dead


_fates: Final[list[Fate]] = []


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if not _fates or (event != "open" and event not in _CHANGES_A_FILE):
        return
    if event == "open":
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        if not arguments[2] & writes:
            return
    path = os.fspath(arguments[0]) if isinstance(arguments[0], str | os.PathLike) else ""
    fate = _fates[-1]
    if path.startswith(str(fate.folder)):
        fate.meet("file", f"{event} {Path(path).relative_to(fate.folder)}")


sys.addaudithook(_on_event)


class _Connection:
    """A connection to DuckDB whose changes are moments."""

    def __init__(self, connection: Any, fate: Fate) -> None:
        self._connection, self._fate = connection, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: Any, *arguments: Any) -> Any:
        if not str(query).lstrip().upper().startswith(_READS):
            self._fate.meet("statement", " ".join(str(query).split())[:70])
        return self._connection.execute(query, *arguments)

    def commit(self) -> Any:
        self._fate.meet("commit", "")
        return self._connection.commit()


@contextmanager
def moments(world: World, fate: Fate, seed: int = 0) -> Iterator[None]:
    """While it is open, runs meet their moments."""
    open_connection, append = DuckDbSqlClient.open_connection, Spool._append

    def opened(client: DuckDbSqlClient) -> Any:
        client._conn = _Connection(open_connection(client), fate)  # type: ignore[assignment]
        return client._conn

    def appended(spool: Spool, batch: Any) -> Any:
        fate.meet("spool", f"{batch.num_rows} rows")
        return append(spool, batch)

    with (
        one_process(world, seed, lambda url: fate.meet("request", url)),
        patch.object(DuckDbSqlClient, "open_connection", opened),
        patch.object(Spool, "_append", appended),
    ):
        _fates.append(fate)
        try:
            yield
        finally:
            _fates.pop()
