"""Answers that are odd below JSON: too large, packed, in other letters, announced, not modified."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterator

import pytest

from postpress_source import (
    PostpressAccountError,
    PostpressAuthError,
    PostpressContractError,
    PostpressError,
    PostpressRequestError,
    PostpressUnavailableError,
)
from postpress_source.api.client import PostpressClient, RetrySettings, Traffic
from postpress_source.api.transport import MAX_PAGE_BYTES
from tests.faults.asking import KEY, PAGE, ask, fail
from tests.faults.hostile import CLOSE, always, hostile, http

BODY = json.dumps({"items": [{"id": "a", "name": "Zoë"}], "cursor": None}, ensure_ascii=False)
JSON = "content-type: application/json"
HEAD = f"HTTP/1.1 200 OK\r\n{JSON}\r\n".encode()


def encoded(body: bytes, encoding: str) -> bytes:
    return http(body, headers=f"{JSON}\r\ncontent-encoding: {encoding}")


ZSTD = bytes.fromhex("28b52ffd0458") + b"\0" * 40
LASTING: dict[str, tuple[bytes, str, str]] = {
    "zstd": (encoded(ZSTD, "zstd"), "encoded as zstd", "gzip"),
    "brotli": (encoded(b"\x8b\x02\x80" * 9, "br"), "encoded as br", "gzip"),
    "compress": (encoded(b"\x1f\x9d", "Compress"), "encoded as compress", "gzip"),
    "gzip in zstd": (encoded(ZSTD, "gzip, zstd"), "encoded as zstd", "gzip"),
    "Latin-1": (http(BODY.encode("latin-1")), "JSON in Latin-1", "send UTF-8"),
    "Latin-1 that says so": (
        http(BODY.encode("latin-1"), headers=f"{JSON}; charset=iso-8859-1"),
        "JSON in Latin-1",
        "send UTF-8",
    ),
    "304": (b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", "HTTP 304", "cache"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "HTTP 204", "base_url"),
    "redirect to nowhere": (http(b"", "302 No", "location: http://[::1/x"), "redirected", "base"),
    "redirect without a place": (http(b"", "302 No", "x: y"), "redirected to another", "base"),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n", "HTTP 101", "base_url"),
}


if sys.version_info >= (3, 14):  # Python unpacks zstd itself, and what is broken may pass
    del LASTING["zstd"], LASTING["gzip in zstd"]


@pytest.mark.parametrize(("answer", "happened", "mend"), LASTING.values(), ids=LASTING)
def test_what_will_not_change_is_an_error_that_names_it(
    answer: bytes, happened: str, mend: str
) -> None:
    with hostile(always(answer)) as server:
        error = fail(server.url)
        server.wait_for(1)
    assert type(error) is PostpressContractError
    assert happened in error.summary
    assert mend in error.next_step


PASSING: dict[str, tuple[bytes, str]] = {
    "UTF-16, cut": (http(BODY.encode("utf-16")[:-8]), "is not JSON, but UTF-16"),
    "UTF-32, cut": (http(BODY.encode("utf-32")[:-8]), "is not JSON, but UTF-32"),
    "gzip that isn't said": (http(gzip.compress(BODY.encode())), "is not JSON, but gzip"),
    "zstd that isn't said": (http(ZSTD), "is not JSON, but zstd"),
    "a page of a portal": (http(b"<html>Log in</html>"), "is not JSON, but markup"),
    "nothing": (http(b""), "is not JSON (0 bytes"),
}


@pytest.mark.parametrize(("answer", "happened"), PASSING.values(), ids=PASSING)
def test_what_may_change_is_asked_for_again_and_named(answer: bytes, happened: str) -> None:
    with hostile(always(answer)) as server:
        error = fail(server.url)
        assert len(server.received) == 3
    assert type(error) is PostpressContractError
    assert happened in error.summary


EARLY = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n"
READ: dict[str, bytes] = {
    "gzip": encoded(gzip.compress(BODY.encode()), "gzip"),
    "gzip by its old name": encoded(gzip.compress(BODY.encode()), "X-GZIP"),
    "gzip, in two members": encoded(
        gzip.compress(BODY[:9].encode()) + gzip.compress(BODY[9:].encode()), "gzip"
    ),
    "deflate": encoded(zlib.compress(BODY.encode()), "deflate"),
    "deflate, bare": encoded(zlib.compress(BODY.encode(), wbits=-15), "deflate"),
    "identity": encoded(BODY.encode(), "identity"),
    "an empty encoding": encoded(BODY.encode(), ""),
    "a mark of byte order": http(BODY.encode("utf-8-sig")),
    "UTF-16": http(BODY.encode("utf-16")),
    "103 first": EARLY + PAGE,
    "102, 100, 103 first": EARLY.replace(b"103", b"102") + b"HTTP/1.1 100 \r\n\r\n" + EARLY + PAGE,
    "chunks": HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"".join(
        f"{len(piece):x};x=y\r\n".encode() + piece + b"\r\n"
        for piece in (BODY[:20].encode(), BODY[20:].encode())
    ) + b"0\r\nx-checksum: z\r\n\r\n",
    "to the end of the connection": HEAD + b"\r\n" + BODY.encode(),
    "HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + b"\r\n" + BODY.encode(),
    "a line that is no header": PAGE.replace(b"\r\n", b"\r\nno header\r\n", 1),
    "a header that is folded": PAGE.replace(b"\r\n", b"\r\nx-a: b\r\n c\r\n", 1),
    "more bytes than announced": PAGE + b"HTTP/1.1 500 No\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("answer", READ.values(), ids=READ)
def test_what_can_be_read_is(answer: bytes) -> None:
    with hostile(always(answer)) as server:
        page, traffic = ask(server.url)
    assert [chat.name for chat in page.chats] == ["Zoë"]
    assert traffic.requests == 1


def test_news_before_an_answer_puts_no_answer_in_the_place_of_another() -> None:
    def answer(request: bytes) -> Iterator[bytes]:
        number = len(server.received)
        yield EARLY
        page = http(BODY.replace("Zoë", f"Zoë {number}").encode())
        yield page.replace(CLOSE.encode(), b"x: y")

    traffic = Traffic()
    with hostile(answer) as server:
        server.keeps_connections = True
        client = PostpressClient(server.url, KEY, RetrySettings(max_attempts=1))
        pages = [client.get_page({}, None, page=n, traffic=traffic) for n in range(1, 6)]
        assert server.connections == 1
        client.close()
    names = [chat.name for page in pages for chat in page.chats]
    assert names == ["Zoë 1", "Zoë 2", "Zoë 3", "Zoë 4", "Zoë 5"]


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_page_that_is_too_large_says_to_lower_limit(coding: str) -> None:
    body = b'{"items":[' + b" " * (MAX_PAGE_BYTES + 1)
    body = gzip.compress(body, 1) if coding == "gzip" else body
    with hostile(always(encoded(body, coding))) as server:
        error = fail(server.url)
        server.wait_for(1)
    assert type(error) is PostpressContractError
    assert "larger than 32 MiB" in error.summary
    assert "Lower `limit`" in error.next_step


REFUSED: dict[str, tuple[bytes, type[PostpressError]]] = {
    "a large one": (http(b"x" * 10**7, "401 No"), PostpressAuthError),
    "a cut one": (http(b"x" * 10**3, "401 No")[:-500], PostpressAuthError),
    "one without an end": (b"HTTP/1.1 401 No\r\n\r\n" + b"x" * 10**7, PostpressAuthError),
    "a packed one": (encoded(ZSTD, "zstd").replace(b"200 OK", b"401 No"), PostpressAuthError),
    "one that isn't packed": (
        encoded(b"{}", "gzip").replace(b"200 OK", b"401 No"),
        PostpressAuthError,
    ),
    "407": (http(b"<h1>Who are you?</h1>", "407 No"), PostpressRequestError),
    "a firewall's 403": (http(b"<h1>Forbidden</h1>", "403 No"), PostpressAccountError),
    "5xx, large": (http(b"x" * 10**7, "500 No"), PostpressUnavailableError),
}


@pytest.mark.parametrize(("answer", "kind"), REFUSED.values(), ids=REFUSED)
def test_the_body_of_an_error_never_hides_its_status(
    answer: bytes, kind: type[PostpressError]
) -> None:
    with hostile(always(answer)) as server:
        error = fail(server.url)
        assert len(server.received) == (3 if kind is PostpressUnavailableError else 1)
    assert type(error) is kind
    assert error.status in (401, 403, 407, 500)
    if error.status == 407:
        assert "HTTPS_PROXY" in error.next_step
    if error.status == 403:
        assert "proxy or a firewall" in error.next_step
