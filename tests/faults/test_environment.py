"""The environment's proxies, exemptions and certificates work as they do for requests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import certifi
import pytest
import requests

from postpress_source import PostpressArgumentError, PostpressRequestError
from postpress_source.api.environment import way_to
from tests.faults.asking import KEY, PAGE, Authority, ask, fail, secure
from tests.faults.hostile import always, hostile, http

pytestmark = pytest.mark.usefixtures("bare_environment")

Named = Callable[[Authority], dict[str, str]]

# --- certificates ---------------------------------------------------------------------------------

NOWHERE = "/no/such/file"
TRUSTED: dict[str, Named] = {
    "REQUESTS_CA_BUNDLE, a file": lambda ca: {"REQUESTS_CA_BUNDLE": str(ca.file)},
    "REQUESTS_CA_BUNDLE, a folder": lambda ca: {"REQUESTS_CA_BUNDLE": str(ca.directory)},
    "CURL_CA_BUNDLE, a file": lambda ca: {"CURL_CA_BUNDLE": str(ca.file)},
    "CURL_CA_BUNDLE, a folder": lambda ca: {"CURL_CA_BUNDLE": str(ca.directory)},
    "SSL_CERT_FILE": lambda ca: {"SSL_CERT_FILE": str(ca.file)},
    "SSL_CERT_DIR": lambda ca: {"SSL_CERT_DIR": str(ca.directory)},
    "SSL_CERT_DIR, several": lambda ca: {
        "SSL_CERT_DIR": os.pathsep.join([NOWHERE, str(ca.folder), str(ca.directory)])
    },
    "SSL_CERT_FILE and SSL_CERT_DIR": lambda ca: {
        "SSL_CERT_FILE": certifi.where(),
        "SSL_CERT_DIR": str(ca.directory),
    },
    "REQUESTS_CA_BUNDLE before the others": lambda ca: {
        "REQUESTS_CA_BUNDLE": str(ca.file),
        "CURL_CA_BUNDLE": NOWHERE,
        "SSL_CERT_FILE": NOWHERE,
        "SSL_CERT_DIR": NOWHERE,
    },
    "CURL_CA_BUNDLE before OpenSSL's": lambda ca: {
        "REQUESTS_CA_BUNDLE": "",
        "CURL_CA_BUNDLE": str(ca.file),
        "SSL_CERT_FILE": NOWHERE,
    },
}
DISTRUSTED: dict[str, Named] = {
    "nothing": lambda ca: {},
    "nothing, said emptily": lambda ca: dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), ""),
    "another file, though a later variable names the right one": lambda ca: {
        "REQUESTS_CA_BUNDLE": certifi.where(),
        "SSL_CERT_FILE": str(ca.file),
    },
    "a folder without hashed names": lambda ca: {"SSL_CERT_DIR": str(ca.folder)},
}


@pytest.mark.parametrize("named", TRUSTED.values(), ids=TRUSTED)
def test_certificates_are_where_the_environment_says(
    named: Named, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in named(authority).items():
        monkeypatch.setenv(name, value)
    with hostile(always(PAGE), authority.shows()) as server:
        page, _ = ask(secure(server))
        if not any(name.startswith("SSL_") for name in named(authority)):
            assert requests.get(secure(server), timeout=10).ok, "as for requests"
    assert len(page.chats) == 1


@pytest.mark.parametrize("named", DISTRUSTED.values(), ids=DISTRUSTED)
def test_no_other_certificate_counts(
    named: Named, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in named(authority).items():
        monkeypatch.setenv(name, value)
    with hostile(always(PAGE), authority.shows()) as server:
        error = fail(secure(server))
    assert type(error) is PostpressRequestError
    assert "certificate" in error.summary
    assert server.received == []


def test_plain_http_needs_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", NOWHERE)
    with hostile(always(PAGE)) as server:
        ask(server.url)


# --- proxies --------------------------------------------------------------------------------------

EXEMPT = [
    ("https://api.postpress.test/v1", "api.postpress.test"),
    ("https://api.postpress.test/v1", "postpress.test"),
    ("https://api.postpress.test/v1", ".postpress.test"),
    ("https://api.postpress.test/v1", "other.test, .postpress.test"),
    ("https://API.postpress.test/v1", "api.POSTPRESS.test"),
    ("https://api.postpress.test:8443/v1", "api.postpress.test:8443"),
    ("https://api.postpress.test:8443/v1", ".postpress.test:8443"),
    ("https://api.postpress.test:8443/v1", "api.postpress.test"),
    ("https://10.1.2.3/v1", "10.1.2.3"),
    ("https://10.1.2.3/v1", "10.0.0.0/8"),
    ("https://10.1.2.3:8443/v1", "a.test,10.1.0.0/16"),
    ("https://10.1.2.3/v1", "10.1.2.3/32"),
    ("https://[fd00::7]/v1", "fd00::7"),
    ("https://localhost:8443/v1", "localhost"),
    ("https://api.postpress.test/v1", "*"),
]
BEYOND_REQUESTS = [
    ("https://api.postpress.test/v1", "api.postpress.test:443"),
    ("https://10.1.2.3:8443/v1", "10.1.2.3:8443"),
    ("https://[fd00::7]/v1", "fd00::/8"),
    ("https://[fd00::7]:8443/v1", "[fd00::7]:8443"),
]
NOT_EXEMPT = [
    ("https://api.postpress.test/v1", ""),
    ("https://api.postpress.test/v1", "other.test"),
    ("https://api.postpress.test/v1", "api.postpress.test:8443"),
    ("https://api.postpress.test:8443/v1", "api.postpress.test:443"),
    ("https://apipostpress.test/v1", ".postpress.test"),
    ("https://api.postpress.test/v1", "post"),
    ("https://api.postpress.test/v1", "api.postpress"),
    ("https://api.postpress.test/v1", "10.0.0.0/8"),
    ("https://11.1.2.3/v1", "10.0.0.0/8"),
    ("https://10.1.2.3:8443/v1", "10.1.2.3:443"),
    ("https://10.1.2.3/v1", "10.1.2.3/nonsense,,/,10.0.0.0/99"),
    ("https://10.1.2.3/v1", "fd00::/8"),
    ("https://[fe00::7]/v1", "fd00::/8"),
]


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(("url", "no_proxy"), [*EXEMPT, *BEYOND_REQUESTS])
def test_no_proxy_exempts(
    url: str, no_proxy: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv(variable, no_proxy)
    assert way_to(url).proxy is None


@pytest.mark.parametrize(("url", "no_proxy"), NOT_EXEMPT)
def test_no_proxy_exempts_no_other(
    url: str, no_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert way_to(url).proxy == "http://proxy.test:3128"
    assert not requests.utils.should_bypass_proxies(url, no_proxy), "nor for requests"


@pytest.mark.parametrize(("url", "no_proxy"), EXEMPT)
def test_requests_exempts_it_too(url: str, no_proxy: str) -> None:
    assert requests.utils.should_bypass_proxies(url, no_proxy)


@pytest.mark.parametrize("exempt", ["localhost:{port}", "127.0.0.0/8", "127.0.0.1:{port}"])
def test_an_exempt_host_is_reached_without_the_proxy(
    exempt: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with (
        hostile(always(PAGE), authority.shows()) as server,
        hostile(always(http(b"", "403 No"))) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        url = secure(server, "localhost" if "localhost" in exempt else "127.0.0.1")
        assert "proxy" in str(fail(url))
        monkeypatch.setenv("NO_PROXY", exempt.format(port=server.port))
        ask(url)
        assert proxy.connections == 1


PROXIES = {
    "http://proxy.test:3128": "http://proxy.test:3128",
    "proxy.test:3128": "http://proxy.test:3128",
    "https://proxy.test": "https://proxy.test",
    "http://me:pass%40word@proxy.test:3128/": "http://proxy.test:3128",
    "http://[::1]:3128": "http://[::1]:3128",
}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("named", PROXIES)
def test_a_proxy_is_taken_without_what_is_secret(
    named: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, named)
    way = way_to("https://api.postpress.test/v1")
    assert way.proxy == PROXIES[named]
    assert "pass" not in repr(way)
    assert way_to("http://127.0.0.1/v1").proxy is None


@pytest.mark.parametrize(
    "named",
    [
        "socks5://me:pass-word@proxy.test:1",
        "http://",
        "http://[::1",
        "ftp://proxy.test",
    ],
)
def test_a_proxy_that_cannot_be_one_is_refused(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(PostpressArgumentError, match="HTTPS_PROXY") as caught:
        way_to("https://api.postpress.test/v1")
    assert "pass-word" not in f"{caught.value} {KEY}"


def test_the_folder_of_the_tests_certificates_is_one_that_openssl_takes(
    authority: Authority,
) -> None:
    assert [path.suffix for path in Path(authority.directory).iterdir()] == [".0"]
