"""On the way to the API: what can't pass by itself is asked for once, and says what to mend."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from postpress_source import (
    PostpressError,
    PostpressRequestError,
    PostpressUnavailableError,
    postpress_source,
)
from tests.faults.asking import KEY, PAGE, Authority, ask, fail, secure
from tests.faults.hostile import TUNNEL, Hostile, always, hostile, http

pytestmark = pytest.mark.usefixtures("bare_environment")

PERSON = "Jane Doe +44 7700 900123"
SECRET = "proxy-pass-word"


@dataclass
class Journey:
    """What stands between here and the page, and what is known of it.

    Attributes:
        url: The base URL.
        environment: What is set.
        first: The server that is met first, by which attempts are counted; None if none is met.
    """

    url: str
    environment: dict[str, str]
    first: Hostile | None = None


Way = Callable[[ExitStack, Authority], Journey]


def api(*names: str, expired: bool = False, host: str = "localhost", trusted: bool = True) -> Way:
    """An API whose certificate is what is said."""

    def start(stack: ExitStack, authority: Authority) -> Journey:
        shown = authority.shows(*names, expired=expired)
        server = stack.enter_context(hostile(always(PAGE), shown))
        trust = {"REQUESTS_CA_BUNDLE": str(authority.file)} if trusted else {}
        return Journey(secure(server, host), trust, server)

    return start


def plain(stack: ExitStack, authority: Authority) -> Journey:
    """An API that speaks no TLS."""
    server = stack.enter_context(hostile(always(PAGE)))
    return Journey(secure(server), {}, server)


def proxied(answer: bytes, *, proxy_tls: bool = False, scheme: str = "http", **trust: str) -> Way:
    """A proxy that answers so; behind it, if it lets through, is an API."""

    def start(stack: ExitStack, authority: Authority) -> Journey:
        behind = stack.enter_context(hostile(always(PAGE), authority.shows("api.postpress.test")))
        shown = authority.shows() if proxy_tls else None
        leads_to = behind.port if answer.startswith(b"HTTP/1.1 200") else None
        proxy = stack.enter_context(hostile(always(answer), shown, leads_to))
        of_proxy = f"{scheme}://me:{SECRET}@localhost:{proxy.port}"
        trusted = trust or {"SSL_CERT_FILE": str(authority.file)}
        return Journey("https://api.postpress.test/v1", {"HTTPS_PROXY": of_proxy, **trusted}, proxy)

    return start


def nowhere(url: str, **environment: str) -> Way:
    """Nothing is met."""
    return lambda stack, authority: Journey(url, environment)


def refusal(status: str) -> bytes:
    return http(f"<h1>{PERSON}</h1>".encode(), status, f"x-user: {PERSON}")


TRUST = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
LASTING: dict[str, tuple[Way, str, tuple[str, ...]]] = {
    "an unknown CA": (api(trusted=False), "certificate of localhost:", TRUST),
    "an expired certificate": (api(expired=True), "certificate has expired", ("renewed", "clock")),
    "a certificate of another host": (
        api("other.test"),
        "certificate of localhost:",
        ("Check base_url",),
    ),
    "a certificate of another address": (
        api("localhost", host="127.0.0.1"),
        "IP address mismatch",
        ("Check base_url",),
    ),
    "no TLS": (plain, "There is no TLS that localhost:", ("Check base_url",)),
    "an unknown host": (
        nowhere("https://api.postpress.invalid/v1"),
        "api.postpress.invalid can't be found",
        ("Check base_url",),
    ),
    "a host that can't be": (
        nowhere(f"https://{'a' * 64}.test/v1"),
        "can't be found",
        ("Check base_url",),
    ),
    "an unknown proxy": (
        nowhere("https://api.postpress.test/v1", HTTPS_PROXY="http://proxy.invalid:3128"),
        "proxy.invalid:3128 can't be found",
        ("HTTPS_PROXY", "NO_PROXY"),
    ),
    "a proxy's 407": (proxied(refusal("407 No")), "HTTP 407", ("http://user:password@host:port",)),
    "a proxy's 401": (proxied(refusal("401 No")), "HTTP 401", ("http://user:password@host:port",)),
    "a proxy's 403": (
        proxied(refusal("403 No")),
        "allows no connection to api.postpress.test (HTTP 403)",
        ("api.postpress.test", "NO_PROXY"),
    ),
    "a proxy's 404": (proxied(refusal("404 No")), "HTTP 404", ("NO_PROXY",)),
    "a proxy's login page": (
        proxied(refusal("302 No").replace(b"x-user", b"location")),
        "HTTP 302",
        ("NO_PROXY",),
    ),
    "a proxy's unknown CA": (
        proxied(TUNNEL, proxy_tls=True, scheme="https", SSL_CERT_FILE=""),
        "certificate of the proxy localhost:",
        TRUST,
    ),
    "a proxy that speaks no TLS": (
        proxied(TUNNEL, scheme="https"),
        "There is no TLS that the proxy localhost:",
        ("HTTPS_PROXY",),
    ),
    "a proxy that opens what passes": (
        proxied(TUNNEL, SSL_CERT_FILE=""),
        "certificate of api.postpress.test isn't valid",
        TRUST,
    ),
    "a CA file that isn't there": (
        nowhere("https://localhost:9/v1", REQUESTS_CA_BUNDLE="/no/such/file.pem"),
        "/no/such/file.pem, which REQUESTS_CA_BUNDLE names, isn't there",
        ("REQUESTS_CA_BUNDLE",),
    ),
    "a CA file of curl's that isn't there": (
        nowhere("https://localhost:9/v1", CURL_CA_BUNDLE="no.pem"),
        "no.pem, which CURL_CA_BUNDLE names, isn't there",
        ("CURL_CA_BUNDLE",),
    ),
    "a CA file of OpenSSL's that isn't there": (
        nowhere("https://localhost:9/v1", SSL_CERT_FILE="/no/such/file.pem"),
        "/no/such/file.pem, which SSL_CERT_FILE names, isn't there",
        ("SSL_CERT_FILE",),
    ),
    "a CA folder that isn't there": (
        nowhere("https://localhost:9/v1", SSL_CERT_DIR="/no/such/folder"),
        "/no/such/folder, which SSL_CERT_DIR names, isn't there",
        ("SSL_CERT_DIR",),
    ),
    "a CA file without a certificate": (
        nowhere("https://localhost:9/v1", REQUESTS_CA_BUNDLE=__file__),
        "has no certificate in it",
        ("REQUESTS_CA_BUNDLE",),
    ),
}


@contextmanager
def set_out(way: Way, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journey]:
    with ExitStack() as stack:
        journey = way(stack, authority)
        for name, value in journey.environment.items():
            monkeypatch.setenv(name, value)
        yield journey


@pytest.mark.parametrize(("way", "happened", "mend"), LASTING.values(), ids=LASTING)
def test_what_cannot_pass_is_asked_for_once_and_says_what_to_mend(
    way: Way,
    happened: str,
    mend: tuple[str, ...],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(0)
    with set_out(way, authority, monkeypatch) as journey:
        error = fail(journey.url)
        if journey.first:
            assert journey.first.connections == 1
    assert type(error) is PostpressRequestError
    assert happened in error.summary
    for part in mend:
        assert part in error.next_step
    assert_discreet(error, caplog)


PASSING: dict[str, tuple[Way, str]] = {
    "a proxy's 502": (proxied(refusal("502 No")), "the proxy answered HTTP 502"),
    "a proxy's 503": (proxied(refusal("503 No")), "the proxy answered HTTP 503"),
    "a proxy's 429": (proxied(refusal("429 No")), "the proxy answered HTTP 429"),
    "a proxy that hangs up": (proxied(b""), "through the proxy localhost:"),
    "a proxy that isn't one": (proxied(f"220 {PERSON}\r\n".encode()), "what came is not HTTP"),
}


@pytest.mark.parametrize(("way", "happened"), PASSING.values(), ids=PASSING)
def test_what_may_pass_is_asked_for_again_and_names_the_proxy(
    way: Way,
    happened: str,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(0)
    with set_out(way, authority, monkeypatch) as journey:
        error = fail(journey.url)
        assert journey.first
        assert journey.first.connections == 3
    assert type(error) is PostpressUnavailableError
    assert "No whole answer from api.postpress.test through the proxy localhost:" in error.summary
    assert happened in error.summary
    assert_discreet(error, caplog)


def assert_discreet(error: PostpressError, caplog: pytest.LogCaptureFixture) -> None:
    """Neither people nor secrets are named."""
    told = f"{error!r} {error} {vars(error)} {caplog.text}"
    for word in ("Jane", "900123", SECRET, KEY):
        assert word not in told
    assert error.__cause__ is None
    assert error.__context__ is None


REACHING: dict[str, Way] = {
    "directly": api(),
    "through a proxy": proxied(TUNNEL),
    "through a proxy that greets at length": proxied(TUNNEL[:-2] + b"x-a: b\r\n" * 50 + b"\r\n"),
    "through a proxy of TLS": proxied(TUNNEL, proxy_tls=True, scheme="https"),
}


@pytest.mark.parametrize("way", REACHING.values(), ids=REACHING)
def test_a_way_that_is_open_is_taken(
    way: Way, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with set_out(way, authority, monkeypatch) as journey:
        page, traffic = ask(journey.url)
        assert journey.first
        assert journey.first.connections == traffic.requests == 1
    assert [chat.name for chat in page.chats] == ["Zoë"]


def test_a_name_server_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def busy(host: str, *_: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", busy)
    error = fail("https://api.postpress.test/v1")
    assert type(error) is PostpressUnavailableError
    assert "Temporary failure in name resolution" in error.summary
    assert len(asked) == 3


def test_a_run_with_many_accounts_asks_once_too(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    accounts = [f"acc_{number}" for number in range(20)]
    into = dlt.destinations.duckdb(str(tmp_path / "inbox.duckdb"))
    pipeline = dlt.pipeline("way", str(tmp_path / "dlt"), destination=into)
    with set_out(api(trusted=False), authority, monkeypatch) as journey:
        with pytest.raises(PipelineStepFailed) as caught:
            pipeline.run(postpress_source(KEY, journey.url, account_id=accounts))
        assert journey.first
        assert journey.first.connections <= 8, "as many as are walked at once"
    assert type(caught.value.__context__) is PostpressRequestError
    assert "certificate" in str(caught.value)
