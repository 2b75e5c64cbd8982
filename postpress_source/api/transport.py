"""Connections that keep the key to themselves, and answers within their time and size.

The key doesn't appear where Python shows values (tracebacks with locals), and http.client prints
no headers, whatever its debug level is. An answer has one time limit for all of it, however it
drips. What a server says never reaches a log from here.

Why on urllib3, and what another client would cost: docs/architecture.md.
"""

from __future__ import annotations

import http.client
import io
import logging
import re
import socket
import time
from contextlib import suppress
from typing import Any, Final

import urllib3

from postpress_source.api.environment import Way
from postpress_source.api.refusals import Place
from postpress_source.errors import PostpressContractError

logger = logging.getLogger("postpress_source")

MAX_PAGE_BYTES: Final = 32 * 2**20
_MAX_ERROR_BYTES: Final = 256 * 1024
_CHUNK_BYTES: Final = 256 * 1024
_SECRET_LENGTH: Final = 12  # a shorter key can be part of any word
_TOKEN: Final = re.compile(r"[a-z][a-z0-9.-]{0,19}")
_DECODED_HERE: Final = {"", "identity", *urllib3.HTTPResponse.CONTENT_DECODERS}


class ApiKey(str):
    """The API key, a text whose repr is not the key: tracebacks with locals don't show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ApiKey(***)"

    def taken_out_of(self, body: bytes) -> bytes:
        """The body as it is, unless the server sent the key back: that mustn't land anywhere."""
        key = self.encode()
        if len(key) < _SECRET_LENGTH or key not in body:
            return body
        logger.warning("The API sent the API key back in an answer; it was replaced by ***.")
        return body.replace(key, b"***")


class _TimedStream(io.RawIOBase):
    """The bytes of an answer until its time is up; then TimeoutError, at each read."""

    def __init__(self, sock: socket.socket, stream: io.RawIOBase) -> None:
        self._socket = sock
        self._stream = stream
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took longer than the timeout")
            self._socket.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedStream(sock, self.fp.detach()))

    def begin(self) -> None:
        """Read the head of the answer, and those of the news that come before it (103, ...)."""
        super().begin()
        while 102 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]  # as before the first
            super().begin()
        if self.msg.defects or self.msg.get_payload():
            # urllib3 would log them, and they may be a page whose head has no end
            logger.warning("Lines of an answer's head are no headers; they are left out.")
            self.msg.defects.clear()
            self.msg.set_payload("")


class _HTTPConnection(urllib3.connection.HTTPConnection):
    debuglevel = 0  # at a higher level http.client prints request headers, the key among them
    response_class = _TimedResponse


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    debuglevel = 0
    response_class = _TimedResponse


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def open_pool(way: Way, connections: int) -> urllib3.PoolManager:
    """Connections on that way, `connections` of them kept."""
    pool = way.pool_manager(connections)
    pool.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return pool


def read_body(response: urllib3.BaseHTTPResponse, place: Place) -> bytes:
    """The whole body of a page, bounded in size; that of an error if it is whole and small.

    Raises:
        HTTPError: urllib3's; a page was cut short or late.
        PostpressContractError: A page is too large, or in an encoding that can't be decoded here.
    """
    if response.status != 200:  # which says what matters
        with suppress(urllib3.exceptions.HTTPError, OSError):
            return _read(response, _MAX_ERROR_BYTES)
        return b""
    named = response.headers.get("content-encoding", "").lower().split(",")
    foreign = [name for part in named if (name := part.strip()) not in _DECODED_HERE]
    if foreign:
        response.close()
        known = [name if _TOKEN.fullmatch(name) else "something odd" for name in foreign]
        raise _unreadable(
            f"The answer's body is encoded as {', '.join(known)}, which wasn't asked for",
            "Let what stands between here and the API (a proxy, a cache) send it as it is, or as "
            "gzip, which is asked for.",
            place,
        )
    body = _read(response, MAX_PAGE_BYTES)
    if len(body) > MAX_PAGE_BYTES:
        raise _unreadable(
            f"The answer is larger than {MAX_PAGE_BYTES // 2**20} MiB",
            "Lower `limit`, the number of chats a page: SOURCES__POSTPRESS__LIMIT, or limit in "
            "[sources.postpress].",
            place,
        )
    return body


def _read(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """The body; some more than `most` bytes of it if it is larger, and no more from there."""
    chunks: list[bytes] = []
    size = 0
    while size <= most and (chunk := response.read1(_CHUNK_BYTES)):
        chunks.append(chunk)
        size += len(chunk)
    if size > most:
        response.close()
    response.release_conn()
    return b"".join(chunks)


def _unreadable(summary: str, next_step: str, place: Place) -> PostpressContractError:
    return PostpressContractError(
        summary,
        next_step=next_step,
        status=200,
        where=place.where,
        account_id=place.account_id,
    )
