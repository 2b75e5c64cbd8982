"""What went wrong, in words a person can act on, and the exit code that says who must act."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    MEND = 1
    USAGE = 2
    LATER = 3
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


def failure_of(error: BaseException) -> Failure | None:
    """The failure that an exception means; None if it is none that a person could mend."""
    causes = list(_causes(error))
    explanations = [_own, _interrupted]
    if "dlt" in sys.modules:  # else it can't be about dlt, and needn't wait for it
        explanations += [_of_postpress, _of_settings, _of_destination]
    for explain in explanations:
        for cause in causes:
            failure = explain(cause)
            if failure:
                return failure
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, and those it comes from, innermost last."""
    met: set[int] = set()
    while error is not None and id(error) not in met:
        met.add(id(error))
        yield error
        hidden = None if error.__suppress_context__ else error.__context__
        error = getattr(error, "exception", None) or error.__cause__ or hidden


def _own(error: BaseException) -> Failure | None:
    return error.failure if isinstance(error, CommandError) else None


def _interrupted(error: BaseException) -> Failure | None:
    signal_code = getattr(error, "signal_code", None)  # of dlt's own KeyboardInterrupt
    if isinstance(error, Terminated) or signal_code == signal.SIGTERM:
        return Failure("Terminated", "Terminated.", ExitCode.TERMINATED)
    if isinstance(error, KeyboardInterrupt):
        return Failure("Interrupted", "Interrupted.", ExitCode.INTERRUPTED)
    return None


class Terminated(KeyboardInterrupt):
    """SIGTERM; it ends a command just as Ctrl-C does."""


def _of_postpress(error: BaseException) -> Failure | None:
    from postpress_source.errors import (
        PostpressArgumentError,
        PostpressError,
        PostpressUnavailableError,
    )

    if not isinstance(error, PostpressError):
        return None
    said = [str(part) for part in (error.status, error.error_type, error.title) if part]
    said += [error.detail] if error.detail else []
    facts = (("The API said", " - ".join(said)), ("Where", error.where))
    code = ExitCode.MEND
    if isinstance(error, PostpressUnavailableError):
        code = ExitCode.LATER
    elif isinstance(error, PostpressArgumentError):
        code = ExitCode.USAGE
    return Failure(
        type(error).__name__,
        error.summary.rstrip(".") + ".",
        code,
        tuple((label, text) for label, text in (*facts, ("Request id", error.instance)) if text),
        error.next_step,
    )


_NO_KEY = """\
Give it in one of three ways:
1. in the environment:    export SOURCES__POSTPRESS__API_KEY=pp_live_...
2. in .dlt/secrets.toml, here or in your home directory:
       [sources.postpress]
       api_key = "pp_live_..."
3. in a script of yours:  postpress_source(api_key=...)
No key at hand? Try it on a made-up inbox: postpress run --sandbox"""


def _of_settings(error: BaseException) -> Failure | None:
    from dlt.common.configuration.exceptions import (
        ConfigFieldMissingException,
        ConfigurationException,
    )
    from dlt.common.destination.exceptions import (
        InvalidDestinationReference,
        UnknownDestinationModule,
    )
    from dlt.common.exceptions import MissingDependencyException

    if isinstance(error, ConfigFieldMissingException):
        if error.spec_name == "PostpressArguments" and "api_key" in error.fields:
            return Failure("NoKey", "There is no API key.", ExitCode.MEND, next_step=_NO_KEY)
        return Failure(
            "NoSetting",
            "Settings are missing.",
            ExitCode.MEND,
            next_step="Set in the environment, or in .dlt/secrets.toml:\n"
            + "\n".join(_variables(error)),
        )
    if isinstance(error, MissingDependencyException):
        packages = " ".join(f"'{name}'" for name in error.dependencies)
        return Failure(
            "NotInstalled",
            f"{error.caller} needs packages that aren't installed.",
            ExitCode.MEND,
            next_step=f"pip install {packages}",
        )
    if isinstance(error, InvalidDestinationReference | UnknownDestinationModule):
        return Failure(
            "NoDestination",
            "dlt has no such destination.",
            ExitCode.USAGE,
            next_step="Name one of dlt's, such as duckdb, filesystem or postgres, or a class of "
            "yours as package.module.name.",
        )
    if isinstance(error, ConfigurationException):
        return Failure(
            type(error).__name__,
            _first_lines(str(error)),
            ExitCode.MEND,
            next_step="Mend the setting, in the environment or in .dlt/.",
        )
    return None


def _variables(error: Any) -> list[str]:
    """The environment variables that would give what is missing, the shortest for each."""
    traces = error.attrs().get("traces", {})
    tried = {
        field: [trace.key for trace in of_field if "Environment" in trace.provider]
        for field, of_field in traces.items()
    }
    return [min(keys, key=len) if keys else field for field, keys in tried.items()]


def _of_destination(error: BaseException) -> Failure | None:
    from dlt.common.destination.exceptions import (
        DestinationException,
        DestinationTransientException,
    )

    if "Could not set lock on file" in str(error):
        return Failure(
            "Locked",
            "Another program has the DuckDB file open.",
            ExitCode.LATER,
            (("DuckDB said", _first_lines(str(error))),),
            "Close it there, then run again. Nothing is lost.",
        )
    if isinstance(error, DestinationTransientException):
        return Failure(
            type(error).__name__,
            "The destination can't be reached.",
            ExitCode.LATER,
            (("It said", _first_lines(str(error))),),
            "Check that it is up and that its credentials are right, then run again; nothing is "
            "lost.",
        )
    if isinstance(error, DestinationException):
        return Failure(
            type(error).__name__,
            "The destination refused the data.",
            ExitCode.MEND,
            (("It said", _first_lines(str(error))),),
            "Mend it there, then run again; what was read is kept and is loaded first.",
        )
    return None


def _first_lines(text: str, longest: int = 400) -> str:
    """The start of a foreign text, on one line, without control characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= longest else line[:longest] + "..."


def unexpected(error: BaseException, traceback_variable: str) -> Failure:
    """The failure of an exception that nobody foresaw."""
    return Failure(
        type(error).__name__,
        _first_lines(str(error)) or "no message",
        ExitCode.MEND,
        next_step=f"If this text doesn't help, report it with what {traceback_variable}=1 prints.",
    )
