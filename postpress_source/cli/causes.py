"""What an exception means to a person: whose it is to act, and how."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from typing import Final

from postpress_source.cli.failures import (
    CommandError,
    ExitCode,
    Failure,
    Terminated,
    first_lines,
)


def failure_of(error: BaseException) -> Failure | None:
    """The failure that an exception means; None if it is none that a person could mend."""
    causes = list(_causes(error))
    explanations = [_own, _interrupted]
    if "dlt" in sys.modules:  # else it can't be about dlt, and needn't wait for it
        from postpress_source.cli.settings import of_destination_name, of_settings

        explanations += [_of_postpress, of_settings, of_destination_name, _of_destination]
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


LOCKED: Final = "Locked"
_LOCK: Final = re.compile(r"Could not set lock on file.*?(?=\s*See also|\s*$)", re.DOTALL)


def _of_destination(error: BaseException) -> Failure | None:
    from dlt.common.destination.exceptions import (
        DestinationException,
        DestinationTransientException,
    )
    from dlt.load.exceptions import LoadClientJobException

    locked = _LOCK.search(str(error))
    if locked:
        return Failure(
            LOCKED,
            "Another program has the DuckDB file open.",
            ExitCode.LATER,
            (("DuckDB said", first_lines(locked[0])),),
            "Close it there, then run again. Nothing is lost.",
        )
    if isinstance(error, LoadClientJobException):
        said = str(error.client_exception).partition("\n")[0]  # rows may stand behind it
        return Failure(
            type(error).__name__,
            "The destination didn't take what was read.",
            ExitCode.LATER if isinstance(error, DestinationTransientException) else ExitCode.MEND,
            (("It said", first_lines(said)),),
            "Mend it there, then run again; what was read is kept and is loaded first.",
        )
    if isinstance(error, DestinationTransientException):
        return Failure(
            type(error).__name__,
            "The destination can't be reached.",
            ExitCode.LATER,
            (("It said", first_lines(str(error))),),
            "Check that it is up and that its credentials are right, then run again; nothing is "
            "lost.",
        )
    if isinstance(error, DestinationException):
        return Failure(
            type(error).__name__,
            "The destination refused the data.",
            ExitCode.MEND,
            (("It said", first_lines(str(error))),),
            "Mend it there, then run again; what was read is kept and is loaded first.",
        )
    return None
