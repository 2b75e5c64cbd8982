"""One chat as the API gives it: strict where the loop depends on it, lenient elsewhere.

A walk needs a `Sighting` of each chat; the rest of a page stays text until its columns are made,
by Arrow where every value is what the reference page says. Else the page is decoded into `Chat`
structs: at once where all values fit, and once more for the fields that no document names; value by
value where one doesn't (a word where a number was, half a surrogate pair in a name). What fits its
column goes there, everything else is kept as JSON in `Chat.extra`. Only a record without an `id` is
an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any

import msgspec

DECODING_ERRORS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What msgspec raises of bytes that aren't JSON, or not of the type asked for."""

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Flag = Annotated[int, msgspec.Meta(ge=0, le=1)]
_Forever = Annotated[int, msgspec.Meta(ge=-1, le=-1)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Sighting(msgspec.Struct, gc=False):
    """What a walk needs to know of a chat, and `muted_until`, which Arrow couldn't check.

    `muted_until` is -1 (for ever), an aware datetime, or None.
    """

    id: Annotated[str, msgspec.Meta(min_length=1)]
    account_id: str | None = None
    account_type: str | None = None
    unread_count: _Int64 | None = None
    timestamp: _Instant | None = None
    muted_until: _Forever | _Instant | None = None


class Chat(Sighting, forbid_unknown_fields=True, gc=False):
    """A chat, its fields named as the table's columns; None where absent or null.

    `archived` and `pinned` are 0/1. `extra` is a JSON object of what has no column, None if nothing
    was left over.
    """

    provider_id: str | None = None
    attendee_provider_id: str | None = None
    name: str | None = None
    type: _Int64 | None = None
    archived: _Flag | None = None
    read_only: _Int64 | None = None
    subject: str | None = None
    organization_id: str | None = None
    mailbox_id: str | None = None
    content_type: str | None = None
    pinned: _Flag | None = None
    folder: list[str] | None = None
    disabled_features: list[str] | None = msgspec.field(name="disabledFeatures", default=None)
    object: str | None = None
    # filled by `to_chat` and `_keep_rest` only: no API can send this key with anything in it
    extra: Annotated[str, msgspec.Meta(max_length=0)] | None = msgspec.field(
        name="(extra)", default=None
    )


class _OpenChat(Chat, forbid_unknown_fields=False, gc=False):
    """A chat whose record may have other fields; `_keep_rest` puts them into `extra`."""


_WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_FIELDS = frozenset(field.encode_name for field in msgspec.structs.fields(Chat))
_sightings = msgspec.json.Decoder(list[Sighting]).decode
_chats = msgspec.json.Decoder(list[Chat]).decode
_open_chats = msgspec.json.Decoder(list[_OpenChat]).decode
_raw_records = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def see(text: bytes) -> list[Sighting] | None:
    """The sightings of a JSON array of records; None if they are not plain to see.

    If they are, `decode_chats` of the same text can't fail.
    """
    try:
        sightings = _sightings(text)
        if not text.isascii():
            text.decode()
    except DECODING_ERRORS:
        return None
    return None if _reach_the_edge(sightings) else sightings


def decode_chats(text: bytes) -> Sequence[Chat]:
    """The chats of a JSON array of records, in the quickest way that loses nothing.

    Raises:
        ValueError: The text is not JSON.
        MissingIdError: A record has no usable `id`.
    """
    try:
        return _chats(text)
    except DECODING_ERRORS:
        pass
    try:
        return _keep_rest(_open_chats(text), _raw_records(text))
    except DECODING_ERRORS:
        return [to_chat(record) for record in loads(text)]


def _keep_rest(
    chats: Sequence[_OpenChat], records: Sequence[Mapping[str, msgspec.Raw]]
) -> Sequence[Chat]:
    others = set().union(*records) - _FIELDS
    for chat, record in zip(chats, records, strict=True):
        rest = {name: msgspec.json.decode(record[name]) for name in record if name in others}
        chat.extra = msgspec.json.encode(rest).decode() if rest else None
    return chats


def _reach_the_edge(sightings: Sequence[Sighting]) -> bool:
    """Whether an instant lies at the edge of the calendar, where UTC may not reach it."""
    instants = (instant for seen in sightings for instant in (seen.timestamp, seen.muted_until))
    years = {instant.year for instant in instants if isinstance(instant, datetime)}
    return bool(years) and not 1 < min(years) <= max(years) < 9999


class MissingIdError(ValueError):
    """A record has no usable `id`."""


def loads(body: bytes) -> Any:
    """Decode JSON; a lone surrogate becomes U+FFFD rather than an error.

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
            parse_constant=lambda _: None,
            parse_float=_finite,
            parse_int=_whole,
            object_hook=_repair_surrogates,
        )
    except RecursionError:
        raise ValueError("JSON nested too deep") from None


def _finite(text: str) -> float | str:
    return number if isfinite(number := float(text)) else text


def _whole(text: str) -> int | str:
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
        return fitted is not None and value not in (fitted, str(fitted))
    return isinstance(fitted, list) and fitted != value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
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
