"""What was meant by a name that is nearly right: any case, and the closest of those there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from postpress_source.arguments import PROVIDERS
from postpress_source.cli.failures import CommandError, ExitCode, Failure


def provider(text: str | None) -> str | None:
    """A provider in the API's own spelling.

    Raises:
        CommandError: There is no such provider.
    """
    if text is None or text.upper() in PROVIDERS:
        return text and text.upper()
    raise CommandError(
        Failure(
            "NoProvider",
            f"--type {text!r:.80} is no provider.",
            ExitCode.USAGE,
            next_step=did_you_mean(text.upper(), PROVIDERS) + f"One of {', '.join(PROVIDERS)}.",
        )
    )


def destination(text: str) -> str:
    """A destination as dlt spells it; what dlt doesn't know stays as it is.

    That may be the name of a destination in the settings, or of a class.
    """
    return text.lower() if text.lower() in destinations() else text


def destinations() -> list[str]:
    """The names of dlt's own destinations."""
    import dlt.destinations

    helpers = {"dummy", "destination"}
    return sorted(set(dlt.destinations.__all__) - helpers)


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """`Did you mean postgres? `, or nothing where no name is close."""
    close = get_close_matches(text, list(names), n=1, cutoff=0.6)
    return f"Did you mean {close[0]}? " if close else ""
