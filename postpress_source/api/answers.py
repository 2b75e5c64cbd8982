"""What an answer means: a page of chats, or an error of the package. No HTTP is done here.

Quirks of the API, and where they are documented (reference page "List all chats", May 2026, and the
quickstart page, which disagree):

    envelope        {items, cursor} or {data, next_cursor}; null ends the list; anything else,
                    a missing or empty cursor included, is a contract error
    error body      {title, detail, instance, type, status} or {error: {code, message, request_id}};
                    proxies answer HTML; a 200 can carry an error body
    401 and 403     are about the key, or about one account: by `type` first, then by status
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import msgspec

from postpress_source.chats.fields import Chat
from postpress_source.chats.records import (
    DECODING_ERRORS,
    MissingIdError,
    loads,
    read_any,
    read_documented,
)
from postpress_source.errors import (
    PostpressAccountError,
    PostpressAuthError,
    PostpressContractError,
    PostpressError,
    PostpressRequestError,
    PostpressUnavailableError,
    documented_error,
)

_CLIP: Final = 160
_PART_OF_WORD: Final = re.compile(r"[\w.+/=-]*$")
_OF_JSON: Final = (b"{", b"[", b'"')
_ENVELOPES: Final = (("items", "cursor"), ("data", "next_cursor"))


@dataclass(frozen=True, slots=True)
class Place:
    """Which request an answer belongs to: in words, and the account it was about."""

    where: str
    account_id: str | None = None


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

    def only(self, chat_ids: Collection[str]) -> Page:
        """The page with these chats alone."""
        return Page([chat for chat in self.chats if chat.id in chat_ids], self.page_cursor)


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
        raise _contract(f"The answer is {_kind(envelope)}, not an object ({_mark(body)})", place)
    if _is_error(envelope):
        raise error_of(200, body, place)
    found = [keys for keys in _ENVELOPES if isinstance(envelope.get(keys[0]), list)]
    if len(found) == 1 and found[0][1] in envelope:
        list_key, cursor_key = found[0]
        chats = [_chat(record, index, place) for index, record in enumerate(envelope[list_key])]
        return Page(chats, _cursor(envelope[cursor_key], place))
    has = ", ".join(f"{clip(key)!r}: {_kind(value)}" for key, value in list(envelope.items())[:8])
    raise _contract(
        "The answer has not one list of chats with its cursor (items and cursor, or data and "
        f"next_cursor); it has {{{has}}}",
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
        summary = f"The answer is not JSON ({_mark(body)}): {error}"
    raise UnreadableError(_contract(summary, place))


def _chat(record: Any, index: int, place: Place) -> Chat:
    try:
        return read_any(record)
    except MissingIdError:
        pass
    mark = _mark(msgspec.json.encode(record))
    if not isinstance(record, dict):
        raise _contract(f"Record {index} of the page is {_kind(record)} ({mark})", place)
    fields = clip(", ".join(record)) or "none"
    raise _contract(f"Record {index} of the page has no id ({mark}); its fields: {fields}", place)


def _cursor(value: Any, place: Place) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    kind = "an empty text" if value == "" else f"{_kind(value)}, neither a text nor null"
    raise _contract(f"The cursor is {kind}", place)


def _contract(summary: str, place: Place) -> PostpressContractError:
    return PostpressContractError(
        summary, status=200, where=place.where, account_id=place.account_id
    )


def error_of(status: int, body: bytes, place: Place, *, location: str = "") -> PostpressError:
    """The error that an answer is: classed by its documented `type` first, then by its status.

    `location` is the target of a redirect; of it, only scheme and host belong here.
    """
    said = _error_body(body)
    known = documented_error(said.get("error_type"))
    cls = known.error if known else _class_of(status)
    return cls(
        _summary(cls, status, location, place),
        next_step=known.next_step if known else None,
        status=status,
        where=place.where,
        account_id=place.account_id,
        **said,
    )


def _class_of(status: int) -> type[PostpressError]:
    if status in (408, 425, 429) or status >= 500:
        return PostpressUnavailableError
    if status == 401:
        return PostpressAuthError
    if status == 403:
        return PostpressAccountError
    return PostpressRequestError if 400 <= status < 500 else PostpressContractError


def _summary(cls: type[PostpressError], status: int, location: str, place: Place) -> str:
    if 300 <= status < 400:
        return (
            f"The API redirected to {clip(location) or 'another place'}; redirects are not followed"
        )
    if status == 200:
        return "An error came with status 200"
    whom = f"account {place.account_id}" if place.account_id else "an account"
    return {
        PostpressAuthError: "PostPress refused the API key",
        PostpressAccountError: f"PostPress can't read {whom}",
        PostpressUnavailableError: f"PostPress is not available (HTTP {status})",
        PostpressRequestError: f"PostPress refused the request (HTTP {status})",
    }.get(cls, f"HTTP {status} is not a documented answer")


def _error_body(body: bytes) -> dict[str, str | None]:
    """`error_type`, `title`, `detail`, `instance` of any error body; what a proxy says instead."""
    said: Any = None
    try:
        said = loads(body)
    except ValueError:
        return {"detail": _words_of(body)}
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        nested = said["error"]
        said = {
            "type": nested.get("code"),
            "title": nested.get("message"),
            "instance": nested.get("request_id"),
        }
    if not isinstance(said, dict):
        return {"detail": _words_of(body)}
    keys = {"error_type": "type", "title": "title", "detail": "detail", "instance": "instance"}
    return {
        name: clip(str(said[key]))
        for name, key in keys.items()
        if isinstance(said.get(key), str | int | float) and said[key] != ""
    }


def _words_of(body: bytes) -> str | None:
    """What a body says that is no error of the API's: a proxy's text, but nothing of JSON's."""
    is_markup = body.lstrip().startswith(b"<")
    if not is_markup and any(sign in body for sign in _OF_JSON):
        return f"The body is no error body ({_mark(body)})"
    return clip(body) or None


def _mark(body: bytes) -> str:
    """What tells a body from others, without what it says: people's data stay out of messages."""
    return f"{len(body):,} bytes, sha256 {sha256(body).hexdigest()[:12]}"


def clip(text: str | bytes) -> str:
    """The start of a foreign text, on one line, without control characters.

    No word is cut in two: a secret in it is whole, so that it can be found and taken out.
    """
    start = text[: 4 * _CLIP]
    line = start.decode("utf-8", "replace") if isinstance(start, bytes) else start
    line = "".join(char if char.isprintable() else " " for char in line)
    line = " ".join(line.split())
    if len(line) <= _CLIP and len(start) == len(text):
        return line
    return _PART_OF_WORD.sub("", line[:_CLIP]) + "..."


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
    return "null" if value is None else kinds.get(type(value), "a number")
