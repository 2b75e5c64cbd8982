"""The page in an answer, or an error of the package. No HTTP is done here.

Quirks of the API, and where they are documented (reference page "List all chats", May 2026, and the
quickstart page, which disagree):

    envelope        {items, cursor} or {data, next_cursor}; null ends the list; anything else,
                    a missing or empty cursor included, is a contract error
    encoding        UTF-8, as JSON has to be; UTF-16 and -32 can be told, and are read; another one
                    is an error that says so

An error says where it is and what it is, by size, digest and the names of fields: no value of a
page, and no name of a field that may be data itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import msgspec

from postpress_source.api.refusals import Place, error_of, mark
from postpress_source.chats.fields import Chat
from postpress_source.chats.records import (
    DECODING_ERRORS,
    MissingIdError,
    loads,
    read_any,
    read_documented,
)
from postpress_source.errors import PostpressContractError

_NAME: Final = re.compile(r"[a-z_][A-Za-z_]{0,39}", re.ASCII)
_NAMES_TOLD: Final = 8
_PACKED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_ENVELOPES: Final = (("items", "cursor"), ("data", "next_cursor"))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list.

    Attributes:
        chats: Its chats, in list order.
        page_cursor: The token of the next page, None: this is the last one.
        text: Its records, a JSON array, as they came; None if a value wasn't documented.
    """

    chats: Sequence[Chat] = field(repr=False)
    page_cursor: str | None
    text: bytes | None = field(default=None, repr=False)

    def without(self, chat_ids: Collection[str]) -> Page:
        """The page without these chats."""
        return Page([chat for chat in self.chats if chat.id not in chat_ids], self.page_cursor)


class UnreadableError(Exception):
    """The body is not JSON: cut, empty or garbage. It may pass; `lasting` is raised if not."""

    def __init__(self, lasting: PostpressContractError) -> None:
        super().__init__(lasting.summary)
        self.lasting = lasting


class _Envelope(msgspec.Struct):
    # What an error body has: an answer with one of them is looked at more closely.
    error: Any = None
    type: Any = None
    status: Any = None


class _Items(_Envelope, kw_only=True):
    records: msgspec.Raw = msgspec.field(name="items")
    page_cursor: str | None = msgspec.field(name="cursor")
    other: msgspec.Raw = msgspec.field(name="data", default=msgspec.Raw())


class _Data(_Envelope, kw_only=True):
    records: msgspec.Raw = msgspec.field(name="data")
    page_cursor: str | None = msgspec.field(name="next_cursor")
    other: msgspec.Raw = msgspec.field(name="items", default=msgspec.Raw())


_DECODERS: Final = (msgspec.json.Decoder(_Items).decode, msgspec.json.Decoder(_Data).decode)
_NOTHING: Final = (b"", b"null")


def decode_page(body: bytes, place: Place) -> Page:
    """The page in the body of a 200.

    Raises:
        UnreadableError: The body is not JSON.
        PostpressError: It is JSON but no page: an error body, no list, a record without `id`, ...
    """
    for decode in _DECODERS:
        try:
            envelope: _Items | _Data = decode(body)
        except DECODING_ERRORS:
            continue
        text = bytes(envelope.records)
        chats = read_documented(text) if _is_plain(envelope) else None
        if chats is not None:
            return Page(chats, _cursor(envelope.page_cursor, place), text)
    return _decode_leniently(body, place)


def _is_plain(envelope: _Items | _Data) -> bool:
    is_error = (envelope.error, envelope.type, envelope.status) != (None, None, None)
    return not is_error and bytes(envelope.other) in _NOTHING


def _decode_leniently(body: bytes, place: Place) -> Page:
    envelope = _loads(body, place)
    if not isinstance(envelope, dict):
        raise _contract(f"The answer is {_kind(envelope)}, not an object ({mark(body)})", place)
    if _is_error(envelope):
        raise error_of(200, body, place)
    found = [keys for keys in _ENVELOPES if isinstance(envelope.get(keys[0]), list)]
    if len(found) == 1 and found[0][1] in envelope:
        list_key, cursor_key = found[0]
        chats = [_chat(record, index, place) for index, record in enumerate(envelope[list_key])]
        return Page(chats, _cursor(envelope[cursor_key], place))
    has = _told(
        (f"{key}: {_kind(value)}" for key, value in envelope.items() if _NAME.fullmatch(key)),
        of=len(envelope),
    )
    raise _contract(
        "The answer has not one list of chats with its cursor (items and cursor, or data and "
        f"next_cursor); it has {has} ({mark(body)})",
        place,
    )


def _is_error(envelope: dict[str, Any]) -> bool:
    """Whether an answer with status 200 says that it is an error; a list beside it is no page."""
    status = envelope.get("status")
    return (
        bool(envelope.get("error"))
        or str(envelope.get("type", "")).startswith("errors/")
        or (isinstance(status, int) and status >= 400)
    )


def _loads(body: bytes, place: Place) -> Any:
    try:
        return loads(body)
    except ValueError as error:
        why = str(error)
    if _is_latin(body):  # whole, so that it will be no other one next time
        raise _contract(
            f"The answer is JSON in Latin-1 or the like, not in UTF-8 ({mark(body)})",
            place,
            "Let the API, or what stands before it, send UTF-8, as JSON has to be.",
        )
    summary = f"The answer is not JSON{_form(body)} ({mark(body)}): {why}"
    raise UnreadableError(_contract(summary, place))


def _is_latin(body: bytes) -> bool:
    """Whether it would be JSON if each byte were a character."""
    try:
        loads(body.decode("latin-1").encode())
    except ValueError:
        return False
    return True


def _form(body: bytes) -> str:
    """What bytes seem to be that are no JSON, in words that follow that; often it doesn't show."""
    if body.lstrip().startswith(b"<"):
        return ", but markup"
    packed = [name for start, name in _PACKED.items() if body.startswith(start)]
    encoding = json.detect_encoding(body)
    if packed or not encoding.startswith("utf-8"):
        return f", but {' '.join(packed) or encoding.upper()}"
    return ""


def _chat(record: Any, index: int, place: Place) -> Chat:
    try:
        return read_any(record)
    except MissingIdError:
        pass
    size = mark(msgspec.json.encode(record))
    if not isinstance(record, dict):
        raise _contract(f"Record {index} of the page is {_kind(record)} ({size})", place)
    fields = _told((key for key in record if _NAME.fullmatch(key)), of=len(record))
    raise _contract(f"Record {index} of the page has no id ({size}); its fields: {fields}", place)


def _cursor(value: Any, place: Place) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    kind = "an empty text" if value == "" else f"{_kind(value)}, neither a text nor null"
    raise _contract(f"The cursor is {kind}", place)


def _contract(summary: str, place: Place, next_step: str | None = None) -> PostpressContractError:
    return PostpressContractError(
        summary,
        next_step=next_step,
        status=200,
        where=place.where,
        account_id=place.account_id,
    )


def _told(names: Iterable[str], of: int) -> str:
    """The first of the names of fields, and how many of all aren't told."""
    told = list(islice(names, _NAMES_TOLD))
    others = of - len(told)
    return ", ".join([*told, *([f"{others} more"] if others else [])]) or "none"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
    return "null" if value is None else kinds.get(type(value), "a number")
