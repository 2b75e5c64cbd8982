"""What the answer to a refused request means: an error, with as much as may be repeated of it.

    error body      {title, detail, instance, type, status} or {error: {code, message, request_id}};
                    proxies answer HTML or a line of text; a 200 can carry an error body
    401 and 403     are about the key, or about one account: by `type` first, then by status

Words are repeated where they are words. A text that may hold a record of a chat, a name, a number
to call or an address is told by its size and a digest: people's data stay out of messages and logs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from postpress_source.chats.records import loads
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
_ID: Final = re.compile(r"(?=.*[A-Za-z])[\w./:=+-]+", re.ASCII)
_HARMLESS: Final = re.compile(  # a parameter's name, a day, a UUID, an address, a status's reason
    r'"[a-z_][\w.]*"(?!\s*[:=])|\d{4}-\d\d-\d\d|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}'
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b|"
    + "|".join(sorted((status.phrase for status in HTTPStatus), key=len, reverse=True))
)
_DATA: Final = re.compile(r"""[{\[@"]|'\s*[:=]|(?<!\w)\d(?:[\s().-]{0,2}\d){6,}""")
_NAME: Final = r"(?=[A-Z\u00c0-\u00de])\w+[a-z]"
_TWO_NAMES: Final = re.compile(rf"\b{_NAME}\S* {_NAME}")
_PATH: Final = re.compile(r"(/(v\d|[a-z]{1,16})){1,3}/?")
_TAG: Final = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Place:
    """Which request an answer belongs to: in words, and the account it was about."""

    where: str
    account_id: str | None = None


def error_of(status: int, body: bytes, place: Place, *, location: str = "") -> PostpressError:
    """The error that an answer is: classed by its documented `type` first, then by its status.

    `location` is the target of a redirect; of it, neither query nor an odd path is told.
    """
    said = _error_body(body)
    known = documented_error(said.get("error_type"))
    cls = known.error if known else _class_of(status)
    return cls(
        _summary(cls, status, location, place),
        next_step=known.next_step if known else _next_step(status, said),
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


def _next_step(status: int, said: Mapping[str, str | None]) -> str | None:
    if status == 403 and said.keys() <= {"detail"}:  # it isn't the API's form
        return (
            "If a proxy or a firewall answered in the API's place, let it pass requests on; else "
            "reconnect the account in your PostPress dashboard."
        )
    return _NEXT_STEPS.get(status)


_NEXT_STEPS: Final = {
    304: "Let what stands between here and the API (a proxy, a cache) pass requests on; if there "
    "is nothing, report this text.",
    407: "Name the proxy's user and password: HTTPS_PROXY=http://user:password@host:port.",
}


def _summary(cls: type[PostpressError], status: int, location: str, place: Place) -> str:
    if status in (200, 304, 407):
        return {
            200: "An error came with status 200",
            304: "Nothing was modified, says a cache (HTTP 304), though it wasn't asked whether",
            407: "A proxy on the way asks for a user and a password (HTTP 407)",
        }[status]
    if 300 <= status < 400:
        return f"The API redirected to {_target(location)}; redirects are not followed"
    whom = f"account {place.account_id}" if place.account_id else "an account"
    return {
        PostpressAuthError: "PostPress refused the API key",
        PostpressAccountError: f"PostPress can't read {whom}",
        PostpressUnavailableError: f"PostPress is not available (HTTP {status})",
        PostpressRequestError: f"PostPress refused the request (HTTP {status})",
    }.get(cls, f"HTTP {status} is not a documented answer")


def _target(location: str) -> str:
    """Scheme and host of a redirect's target, or a plain path: the rest may name people."""
    try:
        target = urlsplit(location)
        if target.hostname:
            return clip(f"{target.scheme or 'https'}://{target.hostname}")
        if _PATH.fullmatch(target.path):
            return target.path
    except ValueError:
        pass
    return "another place"


def _error_body(body: bytes) -> dict[str, str | None]:
    """`error_type`, `title`, `detail`, `instance` of any error body; what a proxy says instead."""
    said: Any = None
    try:
        said = loads(body)
    except ValueError:
        return {"detail": _words_of(body)}
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        nested = said["error"]
        told = {
            "error_type": _identifier(nested.get("code")),
            "title": _sentence(nested.get("message")),
            "instance": _identifier(nested.get("request_id")),
        }
    elif isinstance(said, dict):
        told = {
            "error_type": _identifier(said.get("type")),
            "title": _words(said.get("title")),
            "detail": _sentence(said.get("detail")),
            "instance": _identifier(said.get("instance")),
        }
    else:
        return {"detail": _words_of(body)}
    return {name: text for name, text in told.items() if text}


def _words_of(body: bytes) -> str | None:
    """What a body says that is no error of the API's: a proxy's line, or its short page."""
    words = clip(body)
    is_markup, is_cut = words.startswith("<"), words.endswith("...")
    text = _TAG.sub(" ", words) if is_markup else words
    if '"' in text or (is_markup and is_cut) or not _may_be_told(text, names=False):
        return f"The body is no error body ({mark(body)})"
    return words or None


def _identifier(value: Any) -> str | None:
    """What names a type or a request."""
    return clip(value) if isinstance(value, str) and _ID.fullmatch(value) else _words(value)


def _words(value: Any, *, names: bool = True) -> str | None:
    """A text of the API's, unless it may tell of people; names are told apart in sentences only."""
    if not isinstance(value, str | int | float) or value == "":
        return None
    line = clip(str(value))
    if _may_be_told(line, names=names):
        return line
    size = mark(str(value).encode(errors="replace"))
    return f"(not repeated, since it may hold people's data: {size})"


def _sentence(value: Any) -> str | None:
    return _words(value, names=False)


def _may_be_told(line: str, *, names: bool) -> bool:
    text = _HARMLESS.sub("", line)
    return not _DATA.search(text) and (names or not _TWO_NAMES.search(text))


def mark(body: bytes) -> str:
    """What tells a body from others, without what it says."""
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
