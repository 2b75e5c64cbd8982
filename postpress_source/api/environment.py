"""The way to the API, as the environment has it: through which proxy, and whose certificates count.

The variables, and what they mean, are those of requests, which dlt's own sources use:

    HTTPS_PROXY, ALL_PROXY                 http(s)://user:password@host:port
    NO_PROXY                               hosts, domains, addresses, networks (CIDR), ports; *
    REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE     a file or a folder; the first that is set
    SSL_CERT_FILE, SSL_CERT_DIR            else these, together; else certifi's

Proxies are used over https, where they see a tunnel and no key; plain http goes to its host
directly. requests itself isn't asked: it takes no port beside an address, and no IPv6 network.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3
from urllib3.util.ssl_ import create_urllib3_context

from postpress_source.errors import PostpressArgumentError, PostpressRequestError

_OF_REQUESTS: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_OF_OPENSSL: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
CA_VARIABLES: Final = (*_OF_REQUESTS, *_OF_OPENSSL)


@dataclass(frozen=True, slots=True)
class Way:
    """How to get to the API.

    Attributes:
        host: Of `base_url`, with its port if that names one.
        proxy: Its URL without user and password; None: directly.
        proxy_headers: What it gets to see.
        trust: Whose certificates count; None where none is shown.
    """

    host: str
    proxy: str | None
    proxy_headers: dict[str, str] | None
    trust: ssl.SSLContext | None

    def pool_manager(self, connections: int) -> urllib3.PoolManager:
        """Connections on this way, `connections` of them kept."""
        options: dict[str, Any] = {"maxsize": connections, "ssl_context": self.trust}
        if self.proxy is None:
            return urllib3.PoolManager(**options)
        return urllib3.ProxyManager(
            self.proxy, proxy_headers=self.proxy_headers, proxy_ssl_context=self.trust, **options
        )


def way_to(base_url: str) -> Way:
    """The way to `base_url`.

    Raises:
        PostpressArgumentError: The environment names a proxy that can't be used.
        PostpressRequestError: It names certificates that can't be read.
    """
    parts = urlsplit(base_url)
    if parts.scheme != "https":
        return Way(parts.netloc, None, None, None)
    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or _is_exempt(parts.hostname or "", parts.port or 443, proxies.get("no", "")):
        return Way(parts.netloc, None, None, _trust())
    return Way(parts.netloc, *_check_proxy(proxy), _trust())


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    if proxy_bypass(host) or proxy_bypass(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"):
        return True
    with suppress(ValueError):  # a name, or an entry that is none of a network
        address = ip_address(host)
        for entry in no_proxy.split(","):
            with suppress(ValueError):
                if address in ip_network(entry.strip(), strict=False):
                    return True
    return False


def _check_proxy(proxy: str) -> tuple[str, dict[str, str] | None]:
    """A proxy's URL without what is secret, and the headers that it gets."""
    try:
        parts = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
        headers = None
        if parts.auth:
            headers = dict(urllib3.make_headers(proxy_basic_auth=unquote(parts.auth)))
        if parts.scheme in ("http", "https") and parts.host:
            bare = parts._replace(auth=None, path=None, query=None, fragment=None)
            return bare.url, headers
    except (urllib3.exceptions.HTTPError, ValueError):
        pass
    raise PostpressArgumentError(
        "The proxy of HTTPS_PROXY or ALL_PROXY can't be used",
        next_step="Name one as http://host:port, or exempt the API's host with NO_PROXY.",
    )


def _trust() -> ssl.SSLContext:
    """Certificates as the environment names them, read once for all connections."""
    context = create_urllib3_context()
    named = [(name, os.environ[name]) for name in _OF_REQUESTS if os.environ.get(name)][:1]
    named = named or [(name, os.environ[name]) for name in _OF_OPENSSL if os.environ.get(name)]
    for name, path in named:
        _load(context, name, path)
    if not named:
        context.load_verify_locations(certifi.where())
    return context


def _load(context: ssl.SSLContext, variable: str, path: str) -> None:
    try:
        folders = [folder for folder in path.split(os.pathsep) if Path(folder).is_dir()]
        if folders:
            context.load_verify_locations(capath=os.pathsep.join(folders))
        else:
            context.load_verify_locations(cafile=path)
    except FileNotFoundError:
        what = "isn't there"
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        what = "can't be read, or has no certificate in it"
    else:
        return
    raise PostpressRequestError(
        f"{path}, which {variable} names, {what}",
        next_step=f"Let {variable} name a file of certificates (PEM), or a folder of them with "
        "hashed names (openssl rehash), or unset it.",
    )
