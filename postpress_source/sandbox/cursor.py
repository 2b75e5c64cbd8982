"""Page cursors: opaque to the client, carrying the filters, the limit and the place."""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode, b64encode

import msgspec

from .problems import ApiError


class Filters(msgspec.Struct, frozen=True, array_like=True):
    """What a list is narrowed to; None means: not narrowed.

    Attributes:
        before: ms UTC, exclusive.
        after: ms UTC, exclusive.
    """

    account_ids: tuple[str, ...] | None = None
    account_type: str | None = None
    unread: bool | None = None
    before: int | None = None
    after: int | None = None


ALL = Filters()
"""Not narrowed at all."""
DEFAULT_LIMIT = 100
"""Chats on a page when the request doesn't say."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The way to one page.

    Attributes:
        filters: The walk's filters, which the page keeps.
        limit: Chats on the page.
        page: The page's number in its walk, from 1.
        issued: How many pages the world had served when this was handed out; 0 where cursors
            have no lifetime.
        after_key: Keyset: the sort key that the page starts strictly after; None: at the top.
        offset: Offset: how many matching rows are skipped.
        walk: Which random order the walk goes in, from 1; 0 where the order isn't random or the
            walk begins.
        repeated: `after_key` and `offset` of the page that repeats; None before it.
    """

    filters: Filters = ALL
    limit: int = DEFAULT_LIMIT
    page: int = 1
    issued: int = 0
    after_key: tuple[str | int, ...] | None = None
    offset: int = 0
    walk: int = 0
    repeated: tuple[tuple[str | int, ...] | None, int] | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Cursor).decode


def write_cursor(cursor: Cursor) -> str:
    """The token for the client: base64 with ``+``, ``/`` and ``=``."""
    # Compressed so that every character of base64 turns up, and so that nobody parses it.
    return b64encode(zlib.compress(_encode(cursor), 1)).decode("ascii")


def read_cursor(token: str) -> Cursor:
    """The way that a token stands for.

    Raises:
        ApiError: 400; no token of this server, or one that was damaged on its way.
    """
    try:
        return _decode(zlib.decompress(b64decode(token, validate=True)))
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ApiError("errors/invalid_parameters", "cursor: not one of ours") from error


def resume(token: str, filters: Filters | None, limit: int | None, reading: str) -> Cursor:
    """The way to a later page, by what the request says beside the token.

    Args:
        token: An earlier page's.
        filters: None: the request names none.
        limit: None: the request names none.
        reading: `WorldOptions.cursor_filters`.

    Raises:
        ApiError: 400; the token is none of this server's, or may have nothing beside it.
    """
    if reading == "refused" and (limit is not None or filters not in (None, ALL)):
        raise ApiError("errors/invalid_parameters", "cursor: takes no other parameter beside it")
    cursor = read_cursor(token)
    if reading != "wanted":
        return cursor
    return msgspec.structs.replace(cursor, filters=filters or ALL, limit=limit or DEFAULT_LIMIT)
