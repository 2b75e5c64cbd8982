"""One chat as the API gives it, decoded: strict where the loop depends on it, lenient elsewhere.

A page is decoded at once into typed `Chat` structs, and if it has fields that no document names,
once more for those. If a value on it isn't what the reference page says (a word where a number was,
half a surrogate pair in a name), the page is decoded value by value: what fits its column goes
there. Everything else is kept as JSON in `Chat.extra`. Only a record without an `id` is an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any

import msgspec

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Flag = Annotated[int, msgspec.Meta(ge=0, le=1)]
_Forever = Annotated[int, msgspec.Meta(ge=-1, le=-1)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Chat(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A chat, its fields named as the table's columns; None where absent or null.

    `archived` and `pinned` are 0/1, `muted_until` is -1 (for ever), an aware datetime, or None.
    `extra` is a JSON object of what has no column, None if nothing was left over.
    """

    id: Annotated[str, msgspec.Meta(min_length=1)]
    account_id: str | None = None
    account_type: str | None = None
    provider_id: str | None = None
    attendee_provider_id: str | None = None
    name: str | None = None
    type: _Int64 | None = None
    timestamp: _Instant | None = None
    unread_count: _Int64 | None = None
    archived: _Flag | None = None
    muted_until: _Forever | _Instant | None = None
    read_only: _Int64 | None = None
    subject: str | None = None
    organization_id: str | None = None
    mailbox_id: str | None = None
    content_type: str | None = None
    pinned: _Flag | None = None
    folder: list[str] | None = None
    disabled_features: list[str] | None = msgspec.field(name="disabledFeatures", default=None)
    object: str | None = None
    # filled by `to_chat` and `keep_rest` only: no API can send this key with anything in it
    extra: Annotated[str, msgspec.Meta(max_length=0)] | None = msgspec.field(
        name="(extra)", default=None
    )


class OpenChat(Chat, forbid_unknown_fields=False, gc=False):
    """A chat whose record may have other fields; `keep_rest` puts them into `extra`."""


_NAMES = frozenset(field.encode_name for field in msgspec.structs.fields(Chat))


def keep_rest(chats: Sequence[OpenChat], records: Sequence[Mapping[str, msgspec.Raw]]) -> bool:
    """Put the fields that `OpenChat` doesn't name into `extra`; False if one can't be read."""
    others = set().union(*records) - _NAMES
    try:
        for chat, record in zip(chats, records, strict=True):
            rest = {name: msgspec.json.decode(record[name]) for name in record if name in others}
            chat.extra = msgspec.json.encode(rest).decode() if rest else None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def has_far_instant(chat: Chat) -> bool:
    """Whether an instant lies at the edge of the calendar, where UTC may not reach it."""
    return _is_far(chat.timestamp) or _is_far(chat.muted_until)


def _is_far(instant: datetime | int | None) -> bool:
    return isinstance(instant, datetime) and not 1 < instant.year < 9999


class MissingIdError(ValueError):
    """A record has no usable `id`."""


def loads(body: bytes) -> Any:
    """Decode JSON; a lone surrogate becomes U+FFFD rather than an error.

    Raises:
        ValueError: The bytes are not JSON, or nested too deep to be a page.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return json.loads(
            body,
            parse_constant=lambda _: None,
            parse_float=_finite,
            object_hook=_repair_surrogates,
        )
    except RecursionError:
        raise ValueError("JSON nested too deep") from None


def _finite(text: str) -> float | str:
    return number if isfinite(number := float(text)) else text


def _repair_surrogates(record: dict[str, Any]) -> dict[str, Any]:
    return {_repair(key): _repair(value) for key, value in record.items()}


def _repair(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_repair(element) for element in value]
    return value


def to_chat(record: Any) -> Chat:
    """A `Chat` of any JSON object that has an `id`; nothing of it is dropped.

    Raises:
        MissingIdError: It isn't an object, or its `id` isn't a non-empty string.
    """
    if not isinstance(record, dict) or not isinstance(record.get("id"), str) or not record["id"]:
        raise MissingIdError
    known: dict[str, Any] = {"id": record["id"]}
    extra: dict[str, Any] = {}
    for key, value in record.items():
        if key in ("id", "object") and isinstance(value, str):
            continue
        accept = _ACCEPT.get(key)
        fitted = None if accept is None else accept(value)
        if fitted is not None:
            known[_COLUMN.get(str(key), str(key))] = fitted
        if accept is None or (fitted is None and value is not None) or _loses(key, value, fitted):
            extra[key] = value
    return Chat(**known, extra=msgspec.json.encode(extra).decode() if extra else None)


def _loses(key: str, value: Any, fitted: Any) -> bool:
    """Whether the column says less than the API did: a flag of 2, a list with a number in it."""
    if key in ("archived", "pinned"):
        return fitted is not None and value != fitted
    return isinstance(fitted, list) and fitted != value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value) if -(2**63) <= value < 2**63 else None


def _flag(value: Any) -> int | None:
    if isinstance(value, bool):
        return int(value)
    number = _integer(value)
    return None if number is None else int(number != 0)


def parse_instant(value: Any) -> datetime | None:
    """An ISO 8601 text as an aware UTC datetime (a text without a zone is UTC); else None."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value.strip())
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _muted(value: Any) -> int | datetime | None:
    return -1 if _integer(value) == -1 else parse_instant(value)


def _texts(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [element if isinstance(element, str) else json.dumps(element) for element in value]


_COLUMN: dict[str, str] = {"disabledFeatures": "disabled_features"}
_ACCEPT: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            "account_id",
            "account_type",
            "provider_id",
            "attendee_provider_id",
            "name",
            "subject",
            "organization_id",
            "mailbox_id",
            "content_type",
            "object",
        ),
        _text,
    ),
    **dict.fromkeys(("type", "unread_count", "read_only"), _integer),
    **dict.fromkeys(("archived", "pinned"), _flag),
    "timestamp": parse_instant,
    "muted_until": _muted,
    "folder": _texts,
    "disabledFeatures": _texts,
}
