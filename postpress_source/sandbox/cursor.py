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
    """

    filters: Filters = ALL
    limit: int = 100
    page: int = 1
    issued: int = 0
    after_key: tuple[str | int, ...] | None = None
    offset: int = 0


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
