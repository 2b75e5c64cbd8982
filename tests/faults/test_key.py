"""The key goes to its origin and nowhere else; nothing that a run leaves behind has it."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from postpress_source import PostpressArgumentError, PostpressContractError, postpress_source
from postpress_source.api.client import PostpressClient, RetrySettings, Traffic
from postpress_source.errors import PostpressUnavailableError
from postpress_source.sandbox import Fault
from tests.faults.conftest import Inbox
from tests.faults.hostile import Answer, always, hostile, http

SECRET = "pp_live_R3c0gn1z_ab1e_Key_0f_the_Test"
SCRIPT = Path(__file__).with_name("leave_traces.py")
ECHO = json.dumps(
    {
        "title": SECRET,
        "detail": "x" * 150 + f" the key {SECRET} is not known",
        "instance": SECRET,
        "type": f"errors/{SECRET}",
    }
).encode()
BAD_RECORD = json.dumps({"items": [{"name": SECRET}], "cursor": SECRET}).encode()
IN_DATA = json.dumps({"items": [{"id": "a", "name": SECRET}], "cursor": None}).encode()


def start(folder: Path, *base_urls: str, **environment: str) -> subprocess.Popen[bytes]:
    """leave_traces.py in a process of its own, the key in its environment."""
    temporary = folder / "tmp"
    for place in (temporary, folder / "home"):
        place.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), *base_urls],
        cwd=folder,
        env=os.environ
        | {
            "SOURCES__POSTPRESS__API_KEY": SECRET,
            "RUNTIME__LOG_LEVEL": "DEBUG",
            "RUNTIME__REQUEST_BACKOFF_FACTOR": "0.01",
            "RUNTIME__REQUEST_MAX_ATTEMPTS": "2",
            "RUNTIME__REQUEST_TIMEOUT": "20",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "TMPDIR": str(temporary),
            "HOME": str(folder / "home"),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def traces(folder: Path, *base_urls: str, **environment: str) -> str:
    """What leave_traces.py wrote. The key is in none of the bytes that are left behind."""
    with start(folder, *base_urls, **environment) as process:
        return read_all(process, folder)


def read_all(process: subprocess.Popen[bytes], folder: Path) -> str:
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said[-2_000:]
    assert_no_key(said)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 1
    for path in files:
        assert_no_key(path.read_bytes(), str(path))
    return said.decode()


def assert_no_key(content: bytes, where: str = "the output") -> None:
    """Neither as it is nor packed, nor most of it."""
    part = SECRET[8:20].encode()
    for text in (content, *unpacked(content)):
        place = text.find(part)
        assert place < 0, f"{where}: {text[max(0, place - 200) : place + 60]!r}"
        assert base64.b64encode(SECRET.encode())[:24] not in text, where


def unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    if content.startswith(b"x"):
        with suppress(zlib.error):
            yield zlib.decompress(content)


def test_a_good_run_leaves_no_key_behind(inbox: Inbox, tmp_path: Path) -> None:
    said = traces(tmp_path, inbox.sandbox.url)
    assert "ENDED 0 WELL" in said
    assert "GET /v1/chats" in said  # urllib3 did log
    assert inbox.sandbox.requests[0].headers["x-api-key"] == SECRET


FAILURES: dict[str, tuple[Answer, str]] = {
    "401 that echoes the key": (always(http(ECHO, "401 No")), "PostpressAuthError"),
    "500 that echoes the key": (always(http(ECHO, "500 No")), "PostpressUnavailableError"),
    "status line that echoes the key": (
        always(f"{SECRET} what\r\n\r\n".encode()),
        "PostpressUnavailableError",
    ),
    "headers that echo the key": (
        always(
            http(b"{}", "302 No", f"location: https://{SECRET}.example/?{SECRET}\r\nx-y: {SECRET}")
        ),
        "PostpressContractError",
    ),
    "a page that echoes the key": (always(http(BAD_RECORD)), "PostpressContractError"),
    "garbage that echoes the key": (always(http(SECRET.encode() * 9)), "PostpressContractError"),
}


@pytest.mark.slow
def test_failed_runs_leave_no_key_behind(tmp_path: Path) -> None:
    with ExitStack() as servers:
        hostiles = [servers.enter_context(hostile(answer)) for answer, _ in FAILURES.values()]
        refused = "http://127.0.0.1:9/v1"
        wrong = "ftp://127.0.0.1/v1"
        said = traces(tmp_path, *(server.url for server in hostiles), refused, wrong)
        for server in hostiles:
            assert f"X-API-KEY: {SECRET}".encode() in server.received[0]
    ends = [error for _, error in FAILURES.values()]
    ends += ["PostpressUnavailableError", "PostpressArgumentError"]
    said_ends = re.findall(r"ENDED \d WITH (\w+)", said)
    assert said_ends == ends


def test_an_interrupted_run_leaves_no_key_behind_and_ends_at_once(tmp_path: Path) -> None:
    asked, over = threading.Event(), threading.Event()

    def silence(_: bytes) -> Iterator[bytes]:
        asked.set()
        over.wait(300)
        yield b""

    patience = {"RUNTIME__REQUEST_TIMEOUT": "300"}
    with hostile(silence) as server, start(tmp_path, server.url, **patience) as process:
        assert asked.wait(120)
        process.send_signal(signal.SIGINT)
        said = read_all(process, tmp_path)
        over.set()
    assert "ENDED 0 WITH KeyboardInterrupt" in said


def test_a_key_that_comes_back_as_data_does_not_land(tmp_path: Path) -> None:
    with hostile(always(http(IN_DATA))) as server:
        said = traces(tmp_path, server.url)
    assert "ENDED 0 WELL" in said
    assert "sent the API key back" in said


# --- where the key goes ---------------------------------------------------------------------------


def test_neither_proxies_nor_netrc_touch_a_request_to_loopback(
    inbox: Inbox, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    netrc = tmp_path / "home" / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password x\ndefault login me password x\n")
    netrc.chmod(0o600)
    with hostile(always(http(b"{}", "502 No"))) as proxy:
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        said = traces(
            tmp_path,
            inbox.sandbox.url,
            NETRC=str(netrc),
            **dict.fromkeys(names, proxy.origin),
            NO_PROXY="",
            no_proxy="",
        )
        assert proxy.received == []
    assert "ENDED 0 WELL" in said
    for request in inbox.sandbox.requests:
        assert request.headers["x-api-key"] == SECRET
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_over_https_a_proxy_sees_a_tunnel_and_no_key(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hostile(always(b"HTTP/1.1 200 OK\r\n\r\n")) as proxy:
        for other in (
            "HTTPS_PROXY",
            "ALL_PROXY",
            "https_proxy",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
        ):
            monkeypatch.delenv(other, raising=False)
        monkeypatch.setenv(name, f"http://me:pass%20word@127.0.0.1:{proxy.port}")
        error = get("https://api.postpress.invalid/v1", SECRET)
        [head] = proxy.received
    assert head.startswith(b"CONNECT api.postpress.invalid:443 HTTP/1.")
    assert b"roxy-" in head
    assert base64.b64encode(b"me:pass word") in head
    assert_no_key(head)
    assert "pass" not in str(error)


def get(base_url: str, key: str) -> PostpressUnavailableError:
    client = PostpressClient(base_url, key, RetrySettings(timeout=5, max_attempts=1))
    with pytest.raises(PostpressUnavailableError) as caught:
        client.get_page({"limit": "1"}, None, page=1, traffic=Traffic())
    return caught.value


def test_a_proxy_that_cannot_be_used_is_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:password@127.0.0.1:1")
    monkeypatch.delenv("https_proxy", raising=False)
    with pytest.raises(PostpressArgumentError, match="HTTPS_PROXY") as caught:
        PostpressClient("https://api.postpress.invalid/v1", SECRET, RetrySettings())
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    ["http://api.postpress.ai/v1", "http://10.0.0.1/v1", "http://127.0.0.1.evil.example/v1"],
)
def test_plain_http_is_refused_and_the_way_to_insist_is_named(
    base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PostpressArgumentError) as caught:
        postpress_source(api_key=SECRET, base_url=base_url)
    assert "SOURCES__POSTPRESS__ALLOW_PLAIN_HTTP=true" in str(caught.value)
    monkeypatch.setenv("SOURCES__POSTPRESS__ALLOW_PLAIN_HTTP", "true")
    postpress_source(api_key=SECRET, base_url=base_url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_plain_http_to_loopback_is_taken(host: str) -> None:
    postpress_source(api_key=SECRET, base_url=f"http://{host}:8000/v1")


def test_a_server_cannot_set_a_cookie(inbox: Inbox) -> None:
    inbox.sandbox.faults.add(Fault(status=503, headers={"set-cookie": "a=b; Path=/"}))
    inbox.run()
    assert all("cookie" not in request.headers for request in inbox.sandbox.requests)


@pytest.mark.parametrize(
    ("key", "notes"), [("pp_test_0123456789ab", 1), ("pp_live_of_the_tests", 0)]
)
def test_a_test_key_is_noted_once_a_run(
    inbox: Inbox, key: str, notes: int, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.run(api_key=key, account_id=sorted(inbox.sandbox.world.accounts))
    said = [record.message for record in caplog.records if "test key" in record.message]
    assert len(said) == notes


@pytest.mark.parametrize("key", ["", "  ", "a b", "pp_live_\n x", "pp_live_\u00e9", 5, None])
def test_a_key_that_cannot_stand_in_a_header_is_refused_unseen(key: Any) -> None:
    from postpress_source.arguments import check_api_key

    with pytest.raises(PostpressArgumentError) as caught:
        check_api_key(key)
    assert "pp_live_" not in str(caught.value)


def test_a_short_key_is_taken_out_of_errors_and_left_in_data(inbox: Inbox) -> None:
    with hostile(always(http(b'{"items":[{"id":"abc","name":"abc"}],"cursor":null}'))) as server:
        inbox.run(base_url=server.url, api_key="abc")
        server.answer = always(http(b'{"title":"no abc here"}', "400 No"))
        error = inbox.fail(base_url=server.url, api_key="abc")
    assert inbox.query("SELECT id, name FROM chats") == [("abc", "abc")]
    assert "no *** here" in str(error)
    assert not isinstance(error, PostpressContractError)
    assert logging.getLogger("postpress_source").level == logging.NOTSET
