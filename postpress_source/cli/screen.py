"""What a person reads, and what a machine does: tables in 80 columns, or one JSON document.

The result goes to standard output; progress, warnings and failures go to standard error. Colours
appear on a terminal only, and not with NO_COLOR; in a pipe there are no control characters.
"""

from __future__ import annotations

import json
import os
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postpress_source.cli.failures import ExitCode, Failure

_STYLES = {"ok": "green", "note": "yellow", "mend this": "bold red"}


class Screen:
    """Where a command writes.

    Args:
        as_json: The result is one JSON document instead of tables.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.err = Console(highlight=False, markup=False, emoji=False, stderr=True)

    def say(self, *lines: str, style: str = "") -> None:
        """Lines of the result for a person."""
        if not self.as_json:
            for line in lines:
                _print(self.out, *_wrapped(line, style, self.out.width))

    def commands(self, *lines: str) -> None:
        """Lines to copy into a shell; a long one goes on behind a backslash, as it may there."""
        if not self.as_json:
            for line in lines:
                parts = textwrap.wrap(
                    line, self.out.width - 6, break_long_words=False, break_on_hyphens=False
                )
                _print(self.out, Text("  " + " \\\n    ".join(parts)), soft_wrap=True)

    def verbatim(self, line: str) -> None:
        """A line to copy that can't be broken."""
        if not self.as_json:
            _print(self.out, Text(printable(line)), soft_wrap=True)

    def link(self, label: str, path: Path) -> None:
        """A file to open, by a click where the terminal can."""
        if not self.as_json:
            shown = Text(printable(str(path)), f"link {path.absolute().as_uri()}")
            _print(self.out, Text(label) + shown, soft_wrap=True)

    def note(self, line: str, style: str = "dim") -> None:
        """A line beside the result: progress, a warning."""
        _print(self.err, *_wrapped(line, style, self.err.width))

    def alarm(self, line: str) -> None:
        """One line beside the result that stays one, for whatever mails or greps it."""
        _print(self.err, Text(" ".join(printable(line).split()), "bold red"), soft_wrap=True)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A table of the result for a person; numbers stand to the right."""
        rows = [list(row) for row in rows]
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for index, heading in enumerate(headings):
            cells = [row[index] for row in rows if row[index] is not None]
            right = bool(cells) and all(isinstance(cell, int | float) for cell in cells)
            table.add_column(heading, justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(_cell, row))
        if not self.as_json:
            _print(self.out, table)

    def pairs(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Labels and texts of the result for a person."""
        if not self.as_json:
            _print(self.out, _grid(pairs))

    def document(self, document: dict[str, Any]) -> None:
        """The result for a machine."""
        if self.as_json:
            self.out.file.write(json.dumps(document, default=_plain, ensure_ascii=False) + "\n")

    def fail(self, failure: Failure) -> None:
        """Say what went wrong: on standard error, and as the result if that is JSON."""
        self.document(failure.to_json())
        interrupted = failure.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
        title = failure.summary if interrupted else f"{failure.kind}: {failure.summary}"
        self.note(title, "yellow" if interrupted else "bold red")
        facts = [*failure.facts, *([("Next", failure.next_step)] if failure.next_step else [])]
        if facts:
            _print(self.err, _grid((f"  {label}", text) for label, text in facts))


def _print(console: Console, *parts: Table | Text, soft_wrap: bool = False) -> None:
    """Print at once; in a file or a pipe without the spaces that fill a table's last column."""
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=soft_wrap)
    text = captured.get()
    if not console.is_terminal:
        text = "".join(line.rstrip() + "\n" for line in text.splitlines())
    console.file.write(text)
    console.file.flush()


def _wrapped(text: str, style: str, width: int) -> list[Text]:
    lines = textwrap.wrap(printable(text), width, break_on_hyphens=False) or [""]
    return [Text(line, style) for line in lines]


def _grid(pairs: Iterable[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in pairs:
        grid.add_row(Text(label), Text(printable(text)))
    return grid


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-", "dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int):
        return Text(f"{value:,}")
    if isinstance(value, float):
        return Text(f"{value:,.1f}")
    text = printable(minute(value) if isinstance(value, datetime) else str(value))
    return Text(text, _STYLES.get(text, ""))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)


def printable(text: str) -> str:
    """The text without control characters but its line ends: names come from strangers."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def in_shell(path: str) -> str:
    """A path as a shell takes it, short where it is below the home directory."""
    quoted = shlex.quote(path)
    home = str(Path.home()) + os.sep
    return quoted.replace(home, "~/", 1) if quoted.startswith(home) else quoted


def instant(value: datetime | None) -> str:
    """A moment in UTC, to the second."""
    if value is None:
        return "-"
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def minute(value: datetime) -> str:
    """A moment in UTC, to the minute."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


def span(length: timedelta | float) -> str:
    """A duration in its largest units: 0.4 s, 12 s, 3 min 20 s, 5 h 10 min, 3 d 4 h."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for large, small, size, part in (("d", "h", 86_400, 3_600), ("h", "min", 3_600, 60)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {large}" + (f" {rest} {small}" if rest else "")
    if whole >= 60:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole} s"
