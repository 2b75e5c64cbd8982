"""Connections that keep the key to themselves, and answers within their time.

The key doesn't appear where Python shows values (tracebacks with locals), and http.client prints
no headers, whatever its debug level is. Proxies of the environment are used over https, where they
see a tunnel and no key; plain http goes to its host directly. An answer has one time limit for all
of it, however it drips.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import socket
import time
import urllib.request
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import certifi
import urllib3

from postpress_source.api.answers import Place
from postpress_source.errors import PostpressArgumentError, PostpressContractError

MAX_PAGE_BYTES: Final = 32 * 2**20
_CHUNK_BYTES: Final = 256 * 1024


class ApiKey(str):
    """The API key, a text whose repr is not the key: tracebacks with locals don't show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ApiKey(***)"


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


def open_pool(base_url: str, connections: int) -> urllib3.PoolManager:
    """Connections to the origin of `base_url`, `connections` of them kept.

    Raises:
        PostpressArgumentError: The environment names a proxy that can't be used.
    """
    options: dict[str, Any] = {
        "maxsize": connections,
        "ca_certs": os.environ.get("REQUESTS_CA_BUNDLE")
        or os.environ.get("SSL_CERT_FILE")
        or certifi.where(),
    }
    proxy = _proxy_for(base_url)
    pool = _open_proxy(proxy, options) if proxy else urllib3.PoolManager(**options)
    pool.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return pool


def _proxy_for(base_url: str) -> str | None:
    parts = urlsplit(base_url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if parts.scheme != "https" or not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _open_proxy(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    headers = None
    try:
        parts = urllib3.util.parse_url(proxy)
        if parts.auth:
            headers = urllib3.make_headers(proxy_basic_auth=unquote(parts.auth))
        bare = parts._replace(auth=None, path=None, query=None, fragment=None)
        return urllib3.ProxyManager(bare.url, proxy_headers=headers, **options)
    except (urllib3.exceptions.HTTPError, ValueError):
        pass
    raise PostpressArgumentError(
        "The proxy of HTTPS_PROXY or ALL_PROXY can't be used",
        next_step="Name one as http://host:port, or exempt the API's host with NO_PROXY.",
    )


def in_words(error: Exception) -> str:
    """The error in words, without the objects that it names."""
    text = re.sub(
        r"<[^<>]*object at 0x[0-9a-f]+>:?\s*|\S*Connection\S*\(host=[^)]*\):?\s*", "", str(error)
    )
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def read_body(response: urllib3.BaseHTTPResponse, place: Place) -> bytes:
    """The whole body, bounded in size; a body cut short or late raises urllib3's HTTPError."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_PAGE_BYTES:
            response.close()
            raise PostpressContractError(
                f"The answer is larger than {MAX_PAGE_BYTES // 2**20} MiB",
                status=response.status,
                where=place.where,
                account_id=place.account_id,
            )
    response.release_conn()
    return b"".join(chunks)
