"""Durations and moments as a person types them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from postpress_source.cli.failures import CommandError, ExitCode, Failure

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(option: str, text: str) -> timedelta:
    """A duration such as 30m, 6h, 1.5d, or PT6H."""
    found = _duration(text.strip())
    if found is None:
        raise _wrong("WrongDuration", option, text, "a duration", "30m, 6h, 2d, or PT6H")
    return found


def positive(option: str, text: str) -> timedelta:
    """A duration that isn't zero."""
    found = _duration(text.strip())
    if not found:
        raise _wrong("WrongDuration", option, text, "a duration above zero", "30m, 6h, or PT6H")
    return found


def since(option: str, text: str, now: datetime) -> datetime:
    """The moment, UTC, that a date, an instant, or a duration before now stands for."""
    ago = _duration(text.strip())
    if ago is not None:
        return now - ago
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        allowed = "2026-05-17, 2026-05-17T09:00Z, or 30d for thirty days ago"
        raise _wrong("WrongMoment", option, text, "a moment", allowed) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _duration(text: str) -> timedelta | None:
    short = re.fullmatch(r"(\d{1,7}(?:\.\d{1,7})?)([smhdw])", text.lower())
    if short:
        return timedelta(**{_UNITS[short[2]]: float(short[1])})
    whole = r"(\d{1,7})"
    long = re.fullmatch(rf"P(?:{whole}D)?(?:T(?:{whole}H)?(?:{whole}M)?(?:{whole}S)?)?", text)
    if long and any(long.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in long.groups())
        return timedelta(days, seconds, minutes=minutes, hours=hours)
    return None


def _wrong(kind: str, option: str, text: str, what: str, allowed: str) -> CommandError:
    summary = f"{option} {text!r:.80} is not {what}."
    return CommandError(Failure(kind, summary, ExitCode.USAGE, next_step=f"Write it as {allowed}."))
