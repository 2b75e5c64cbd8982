"""One page, asked for by the client alone, and the certificates that servers show it."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from postpress_source import PostpressError
from postpress_source.api.answers import Page
from postpress_source.api.client import PostpressClient, RetrySettings, Traffic
from tests.faults.hostile import Hostile, http

KEY = "pp_live_asking_0123456789"
PAGE = http(json.dumps({"items": [{"id": "a", "name": "Zoë"}], "cursor": None}).encode())
VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)


def ask(base_url: str, **bounds: Any) -> tuple[Page, Traffic]:
    """The first page, after three attempts at most that nothing is waited for between."""
    settings: dict[str, Any] = {"timeout": 10, "max_attempts": 3, "backoff_factor": 0.0}
    client, traffic = PostpressClient(base_url, KEY, RetrySettings(**settings | bounds)), Traffic()
    try:
        return client.get_page({"limit": "1"}, None, page=1, traffic=traffic), traffic
    finally:
        client.close()


def fail(base_url: str, **bounds: Any) -> PostpressError:
    """The error that asking ends with."""
    with pytest.raises(PostpressError) as caught:
        ask(base_url, **bounds)
    return caught.value


@dataclass
class Authority:
    """A CA that nobody trusts who isn't told to."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def file(self) -> Path:
        """Its certificate."""
        path = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(path))
        return path

    @property
    def directory(self) -> Path:
        """Its certificate in a folder, under the name that OpenSSL looks for."""
        path = self.folder / "certificates"
        path.mkdir(exist_ok=True)
        subject = _subject_hash(self.file)
        (path / f"{subject}.0").write_bytes(self.file.read_bytes())
        return path

    def shows(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """What a server of these names shows."""
        until = dt.datetime.now(dt.UTC) - dt.timedelta(days=1) if expired else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names or ("localhost", "127.0.0.1"), not_after=until).configure_cert(
            context
        )
        return context


def _subject_hash(file: Path) -> str:
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def secure(server: Hostile, host: str = "localhost") -> str:
    """The base URL of a server that speaks TLS."""
    return f"https://{host}:{server.port}/v1"
