"""What a run is doing: live lines on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, Final

from dlt.common.runtime.collector_base import Collector
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from postpress_source.cli.screen import Screen, printable, span

PLAIN_SECONDS: Final = 3.0
_STEPS: Final = {"Extract": "Reading", "Normalize": "Preparing", "Load": "Loading"}
_WAITING: Final = re.compile(r"[Ww]aiting ([\d.]+) s")


class Progress(Collector):
    """dlt's collector: the source tells it of pages and chats, dlt of files and jobs.

    To be entered by `watching`; until then, and afterwards, it only counts.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._step = "Starting"
        self._since = time.monotonic()
        self._waits_until = 0.0

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        """Count; from any thread."""
        if label:
            return
        with self._lock:
            self._counts[name] += inc
            if total is not None:
                self._totals[name] = total
            if inc_total is not None:
                self._totals[name] += inc_total

    def waits(self, seconds: float) -> None:
        """The source waits that long before its next request."""
        self._waits_until = max(self._waits_until, time.monotonic() + seconds)

    def line(self) -> str:
        """Where the run is, in one line of at most 80 columns."""
        with self._lock:
            parts = self._reading() if self._step == "Reading" else self._counted()
        waiting = self._waits_until - time.monotonic()
        if waiting > 0:
            parts.append(f"waiting {span(waiting)}")
        return f"{self._step:<10}" + "   ".join(parts)

    def _reading(self) -> list[str]:
        pages, chats = self._counts["pages read"], self._counts["chats read"]
        seconds = time.monotonic() - self._since
        walks, ended = self._totals["accounts walked"], self._counts["accounts walked"]
        parts = [f"{pages:,} pages", f"{chats:,} chats"]
        if walks > 1:
            parts.append(f"{ended} of {walks} accounts")
        if chats and seconds > 0.5:
            parts.append(f"{chats / seconds:,.0f} chats/s")
        return [*parts, span(seconds)]

    def _counted(self) -> list[str]:
        parts = [
            f"{self._counts[name]:,} of {self._totals[name]:,} {name.lower()}"
            for name in ("Files", "Jobs")
            if self._totals[name]
        ]
        return [*parts, span(time.monotonic() - self._since)]

    def _start(self, step: str) -> None:
        name = _STEPS.get(step.split(" ", maxsplit=1)[0], "Working")
        with self._lock:
            if name == self._step:
                return  # dlt extracts its own state as a source of its own
            self._counts.clear()
            self._totals.clear()
            self._step = name
            self._since = time.monotonic()

    def _stop(self) -> None:
        pass


class Watching:
    """Shows a `Progress`, and the warnings of the source and of dlt, while it is entered."""

    def __init__(self, progress: Progress, screen: Screen) -> None:
        self._progress = progress
        self._screen = screen
        self._ended = threading.Event()
        self._handler = _ToScreen(progress, screen)
        console = screen.err
        self._live = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(
                _Line(progress), console=console, transient=True, refresh_per_second=8
            )

    def __enter__(self) -> None:
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers = [self._handler]
            logger.propagate = False
        logging.getLogger("postpress_source").setLevel(logging.INFO)
        if self._live:
            self._live.start()
        else:
            threading.Thread(target=self._write_lines, daemon=True).start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._live:
            self._live.stop()

    def _write_lines(self) -> None:
        while not self._ended.wait(PLAIN_SECONDS):
            self._screen.note(self._progress.line())


_LOGGERS: Final = ("postpress_source", "dlt")
# What dlt warns of that is so by design; each is documented in docs/destinations.md.
_WORDS: Final = {
    "Falling back to `append`": "Plain files can't be merged into: each version of a chat that is "
    "read is appended. A view gives the current state: docs/destinations.md.",
}

# Where rows may stand; what was refused, and why, is told when the run ends.
_INNARDS: Final = re.compile(r"\s*(?:Traceback \(most recent|\[SQL: ).*", re.DOTALL)


class _ToScreen(logging.Handler):
    """Warnings become lines of the screen; waits, also short ones, become progress."""

    def __init__(self, progress: Progress, screen: Screen) -> None:
        super().__init__()
        self._progress = progress
        self._screen = screen
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        text = record.getMessage()
        wait = _WAITING.search(text)
        if wait and record.name == "postpress_source":
            self._progress.waits(float(wait[1]))
        if record.levelno >= logging.WARNING:
            self._warn(text if record.name == "postpress_source" else _in_our_words(text))

    def _warn(self, text: str) -> None:
        """Say it, unless it was said before: dlt says most things once a table and step."""
        if text not in self._said:
            self._said.add(text)
            self._screen.note(f"! {printable(text)}", "yellow")


def _in_our_words(text: str) -> str:
    for pattern, words in _WORDS.items():
        if pattern in text:
            return words
    return f"dlt: {_INNARDS.sub('', text)}"


class _Line:
    """The progress's line, as it is when it is drawn."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._spinner = Spinner("dots", style="cyan")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line: Any = Text(self._progress.line(), no_wrap=True, overflow="ellipsis")
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_row(self._spinner, line)
        yield grid
