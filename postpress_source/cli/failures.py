"""What went wrong, in words a person can act on, and the exit code that says who must act."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    MEND = 1
    USAGE = 2
    LATER = 3
    LIMIT = 4
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class Failure:
    """A command's failure.

    Attributes:
        kind: The error's class, or a short name.
        summary: What happened, one sentence.
        exit_code: Who must act.
        facts: More of it, label and text.
        next_step: What to do; may have several lines.
    """

    kind: str
    summary: str
    exit_code: ExitCode
    facts: tuple[tuple[str, str], ...] = ()
    next_step: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        facts = {label.lower().replace(" ", "_"): text for label, text in self.facts}
        error = {"type": self.kind, "message": self.summary, **facts, "next_step": self.next_step}
        return {"ok": False, "exit_code": int(self.exit_code), "error": error}


class CommandError(Exception):
    """A command can't go on; raised by the commands themselves."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.summary)
        self.failure = failure


class Terminated(KeyboardInterrupt):
    """SIGTERM; it ends a command just as Ctrl-C does."""


def first_lines(text: str, longest: int = 400) -> str:
    """The start of a foreign text, on one line, without control characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= longest else line[:longest] + "..."


def unexpected(error: BaseException, traceback_variable: str) -> Failure:
    """The failure of an exception that nobody foresaw."""
    return Failure(
        type(error).__name__,
        first_lines(str(error)) or "no message",
        ExitCode.MEND,
        next_step=f"If this text doesn't help, report it with what {traceback_variable}=1 prints.",
    )
