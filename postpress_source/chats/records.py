"""Chats out of JSON, in two ways that agree on every value.

The quick way takes a page all of whose values are documented, at once. The slow way takes any
record that has an `id`, value by value: what fits its column goes there, and what a column can't
say whole (a word where a number was, a field that no document names) is kept in `extra`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import msgspec

from postpress_source.chats.fields import (
    FIELDS,
    Chat,
    Flag,
    Id,
    Instant,
    Mute,
    OddChat,
    Text,
    Texts,
    Whole,
)

DECODING_ERRORS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What msgspec raises of bytes that aren't JSON, or not of the type asked for."""

_decode: Final = msgspec.json.Decoder(list[Chat]).decode
_encode: Final = msgspec.json.Encoder().encode
_INSTANTS: Final = [field.name for field in FIELDS if field.type in (Instant, Mute)]
_WHOLE_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})")


def read_documented(text: bytes) -> list[Chat] | None:
    """The chats of a JSON array of records; None if it isn't one, or a value isn't documented."""
    try:
        chats = _decode(text)
    except DECODING_ERRORS:
        return None
    return None if _reach_the_edge(chats) else chats


def _reach_the_edge(chats: list[Chat]) -> bool:
    """Whether an instant lies at the edge of the calendar, where UTC may not reach it."""
    instants = (getattr(chat, name) for name in _INSTANTS for chat in chats)
    years = {instant.year for instant in instants if isinstance(instant, datetime)}
    return not years.isdisjoint((1, 9999))


class MissingIdError(ValueError):
    """A record has no usable `id`."""


def read_any(record: Any) -> Chat:
    """The chat of a decoded record, whatever else is in it; nothing of it is dropped.

    Raises:
        MissingIdError: It isn't an object, or its `id` isn't a non-empty string.
    """
    if not isinstance(record, dict) or not isinstance(record.get("id"), str) or not record["id"]:
        raise MissingIdError
    columns: dict[str, Any] = {}
    left: dict[str, Any] = {}
    for key, value in record.items():
        if key in _FITTED:
            name, fit = _FITTED[key]
            fitted = None if value is None else fit(value)
            columns[name] = fitted
            if fitted is value or _says_all(fitted, value):
                continue
        elif key == "object" and value == "Chat":
            continue
        left[key] = value
    return OddChat(**columns, extra=_encode(left).decode() if left else None)


def _says_all(fitted: Any, value: Any) -> bool:
    """Whether a column says what the API did; not so a flag of 2, or a list with a number in it."""
    if fitted is None:
        return False
    return isinstance(fitted, datetime) or fitted == value or str(fitted) == value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value) if -(2**63) <= value < 2**63 else None


def _flag(value: Any) -> int | None:
    if isinstance(value, bool):
        return int(value)
    number = _whole(value)
    return None if number is None else int(number != 0)


def _instant(value: Any) -> datetime | None:
    """An ISO 8601 text as an aware UTC datetime (a text without a zone is UTC); else None."""
    if not isinstance(value, str):
        return None
    try:
        try:  # as the quick way does: Python's knows no "t" or "z", and cuts what this rounds
            instant = msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            instant = datetime.fromisoformat(value.strip())
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _mute(value: Any) -> int | datetime | None:
    return -1 if _whole(value) == -1 else _instant(value)


def _texts(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [element if isinstance(element, str) else json.dumps(element) for element in value]


_FIT: Final[dict[Any, Callable[[Any], Any]]] = {
    Id: _text,
    Text: _text,
    Texts: _texts,
    Whole: _whole,
    Flag: _flag,
    Instant: _instant,
    Mute: _mute,
}
"""A value that isn't null as its column takes it, None if it doesn't."""
_FITTED: Final = {field.api_name: (field.name, _FIT[field.type]) for field in FIELDS}


def loads(body: bytes) -> Any:
    """Decode JSON; a lone surrogate becomes U+FFFD, a number that none can be becomes its text.

    Raises:
        ValueError: The bytes are not JSON, or nested too deep to be a page.
    """
    try:
        return msgspec.json.decode(body)
    except DECODING_ERRORS:
        pass
    try:
        return json.loads(
            body,
            parse_constant=str,
            parse_float=_finite,
            parse_int=_read_whole,
            object_hook=_repair_surrogates,
        )
    except RecursionError:
        raise ValueError("JSON nested too deep") from None


def _finite(text: str) -> float | str:
    return number if isfinite(number := float(text)) else text


def _read_whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # more digits than Python reads
        return text


def _repair_surrogates(record: dict[str, Any]) -> dict[str, Any]:
    return {_repair(key): _repair(value) for key, value in record.items()}


def _repair(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_repair(element) for element in value]
    return value
