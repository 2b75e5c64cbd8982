"""What it means that no whole answer came: whether it may pass, what happened, and what to mend.

What can't pass by itself is a `PostpressRequestError` and isn't asked for again: a certificate that
isn't valid, a host that there isn't, a proxy that says no. All else is
`PostpressUnavailableError`.

Nothing is quoted of what a server or a proxy sent: a status line can be the rest of a page.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import urllib3
from urllib3.exceptions import (
    DecodeError,
    IncompleteRead,
    LocationValueError,
    NewConnectionError,
    ProxyError,
)

from postpress_source.api.environment import CA_VARIABLES, Way
from postpress_source.api.refusals import Place
from postpress_source.errors import PostpressError, PostpressRequestError, PostpressUnavailableError

_Kinds = tuple[type[BaseException], ...]
_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})")
_EXPIRED: Final = {9, 10}  # OpenSSL's X509_V_ERR_...: not yet valid, no longer
_OF_ANOTHER_HOST: Final = {62, 64}
_NO_TLS_IN_COMMON: Final = re.compile(
    "WRONG_VERSION_NUMBER|HTTP_REQUEST|UNKNOWN_PROTOCOL|UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION"
    "|HANDSHAKE_FAILURE|CERTIFICATE|UNKNOWN_CA|UNRECOGNIZED_NAME|RECORD_LAYER_FAILURE"
    "|NO_APPLICATION_PROTOCOL|CIPHER|KEY_TOO_SMALL|RENEGOTIATION"
)
_HOST: Final = "Check base_url: {} is the host that it names."
_PROXY: Final = "Check the proxy that HTTPS_PROXY or ALL_PROXY names, or exempt {} with NO_PROXY."

Lasting = tuple[str, str]
"""What happened, and what to do about it."""


def explain(error: Exception, way: Way, place: Place) -> PostpressError:
    """The error of the package for one of urllib3's, or of the system's."""
    causes = list(_causes(error))
    of_proxy = any(isinstance(cause, ProxyError) for cause in causes)
    for cause in causes:
        lasting = _lasting(cause, way, of_proxy=of_proxy)
        if lasting:
            summary, next_step = lasting
            return PostpressRequestError(
                summary, next_step=next_step, where=place.where, account_id=place.account_id
            )
    words = next(filter(None, map(_in_words, causes)), type(error).__name__)
    through = f" through the proxy {_bare(way.proxy)}" if way.proxy else ""
    return PostpressUnavailableError(
        f"No whole answer from {way.host}{through}: {words}",
        where=place.where,
        account_id=place.account_id,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, and those that it was made of."""
    met: set[int] = set()
    pending = [error]
    while pending:
        cause = pending.pop(0)
        if id(cause) not in met:
            met.add(id(cause))
            yield cause
            made_of = (*cause.args, cause.__cause__, cause.__context__)
            pending += [part for part in made_of if isinstance(part, BaseException)]


def _lasting(cause: BaseException, way: Way, *, of_proxy: bool) -> Lasting | None:
    """What won't pass by itself, if that is what it is."""
    proxy = _bare(way.proxy or "")
    whose = f"the proxy {proxy}" if of_proxy else way.host
    where = (_PROXY if of_proxy else _HOST).format(way.host)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _of_certificate(cause, whose, where)
    if isinstance(cause, ssl.SSLError) and _NO_TLS_IN_COMMON.search(cause.reason or ""):
        return f"There is no TLS that {whose} and this machine both speak ({cause.reason})", where
    if isinstance(cause, LocationValueError) or (
        isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN
    ):
        return f"The host {proxy if of_proxy else way.host} can't be found", where
    status = _tunnel_status(cause)
    return _of_tunnel(status, proxy, way.host) if status else None


def _tunnel_status(cause: BaseException) -> int | None:
    """The status that a proxy refused the tunnel with."""
    found = _TUNNEL.match(str(cause)) if isinstance(cause, OSError) else None
    return int(found[1]) if found else None


def _of_certificate(error: ssl.SSLCertVerificationError, whose: str, where: str) -> Lasting:
    summary = f"The certificate of {whose} isn't valid: {error.verify_message.rstrip('.')}"
    if error.verify_code in _EXPIRED:
        return summary, "Have it renewed, and check this machine's clock."
    if error.verify_code in _OF_ANOTHER_HOST:
        return summary, where
    return summary, (
        f"If its issuer can be trusted, put the issuer's certificate into a file, and name that in "
        f"one of {', '.join(CA_VARIABLES)}."
    )


def _of_tunnel(status: int, proxy: str, host: str) -> Lasting | None:
    if status in (408, 425, 429) or status >= 500:
        return None
    if status in (401, 407):
        return (
            f"The proxy {proxy} asks for a user and a password, or refuses those it got "
            f"(HTTP {status})",
            "Name them: HTTPS_PROXY=http://user:password@host:port, special characters %-encoded.",
        )
    return (
        f"The proxy {proxy} allows no connection to {host} (HTTP {status})",
        f"Let it allow {host}, or exempt {host} with NO_PROXY if it can be reached directly.",
    )


def _bare(proxy: str) -> str:
    return proxy.rpartition("://")[2]


def _in_words(cause: BaseException) -> str | None:
    """What happened, in words of our own, Python's or the system's; None if this doesn't say it."""
    if type(cause) is IncompleteRead:
        return f"the body was cut after {cause.partial:,} bytes"
    for kinds, words in _WORDS:
        if isinstance(cause, kinds) and not isinstance(cause, NewConnectionError):
            return words
    if tunnel := _tunnel_status(cause):
        return f"the proxy answered HTTP {tunnel}"
    if isinstance(cause, ssl.SSLError):
        return cause.reason
    return cause.strerror if isinstance(cause, OSError) else None


_WORDS: Final[tuple[tuple[_Kinds, str], ...]] = (
    ((TimeoutError, urllib3.exceptions.TimeoutError), "it took longer than the timeout"),
    ((http.client.RemoteDisconnected,), "the connection was closed without one"),
    ((http.client.HTTPException,), "what came is not HTTP/1.1"),
    ((DecodeError,), "the body isn't in the encoding that its head names"),
)
