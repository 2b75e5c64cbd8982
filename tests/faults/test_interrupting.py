"""Ctrl-C ends a run at once, whatever the servers that its accounts wait for are doing."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.asking import KEY, VARIABLES, Authority, secure
from tests.faults.hostile import hostile
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

SECONDS = 10
"""One, where nothing else runs; the servers would hold it up for a hundred and more."""
ACCOUNTS = [f"acc_{number}" for number in range(5)]
RUN = """
import sys
import dlt
from postpress_source import postpress_source

into = dlt.destinations.duckdb("inbox.duckdb")
pipeline = dlt.pipeline("interrupted", "dlt", destination=into)
pipeline.run(postpress_source())
"""
COMMANDS = {
    "script": [sys.executable, "-c", RUN],
    "run": [str(Path(sys.executable).with_name("postpress")), "run"],
    "check": [str(Path(sys.executable).with_name("postpress")), "check"],
}
# dlt wraps a KeyboardInterrupt in an error of its own
EXPECTED = {"script": 1, "run": 130, "check": 130}

Environment = dict[str, str]
Stuck = tuple[Environment, Callable[[], int]]
"""What is set, and how many connections are held up."""


def drip(piece: bytes) -> Iterator[bytes]:
    for _ in itertools.count():
        time.sleep(0.05)
        yield piece


def hold() -> Iterator[bytes]:
    time.sleep(120)
    yield b""


def at(url: str) -> Environment:
    return {"SOURCES__POSTPRESS__BASE_URL": url}


@contextmanager
def silent(authority: Authority) -> Iterator[Stuck]:
    with hostile(lambda request: hold()) as server:
        yield at(server.url), lambda: len(server.received)


@contextmanager
def trickling(authority: Authority) -> Iterator[Stuck]:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
    with hostile(lambda request: itertools.chain([head], drip(b" "))) as server:
        yield at(server.url), lambda: len(server.received)


@contextmanager
def silent_over_tls(authority: Authority) -> Iterator[Stuck]:
    trust = {"SSL_CERT_FILE": str(authority.file)}
    with hostile(lambda request: hold(), authority.shows()) as server:
        yield at(secure(server)) | trust, lambda: len(server.received)


@contextmanager
def stuck_in_the_handshake(authority: Authority) -> Iterator[Stuck]:
    with hostile(lambda request: hold()) as server:
        yield at(secure(server)), lambda: len(server.received)


@contextmanager
def stuck_in_connect(authority: Authority) -> Iterator[Stuck]:
    with hostile(lambda request: hold()) as proxy:
        through = {"HTTPS_PROXY": proxy.origin}
        yield at("https://api.postpress.test/v1") | through, lambda: len(proxy.received)


@contextmanager
def a_proxy_that_trickles(authority: Authority) -> Iterator[Stuck]:
    with hostile(lambda request: drip(b"H")) as proxy:
        through = {"HTTPS_PROXY": proxy.origin}
        yield at("https://api.postpress.test/v1") | through, lambda: len(proxy.received)


@contextmanager
def never_accepting(authority: Authority) -> Iterator[Stuck]:
    """Connections that are never made: the queue of those that wait to be accepted is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        began = time.monotonic()
        # nobody sees them try: they have had time enough when this many seconds have passed
        yield at(f"http://127.0.0.1:{address[1]}/v1"), lambda: int(time.monotonic() - began) - 10


RESOLVER = """
import os, signal, socket, time

def getaddrinfo(*of, **how):  # in C it hears no signal before it returns
    with open(os.environ["ASKED"], "a") as asked:
        asked.write("once more\\n")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    time.sleep(120)

socket.getaddrinfo = getaddrinfo
"""


@contextmanager
def never_resolved(authority: Authority) -> Iterator[Stuck]:
    """A name server that never answers."""
    with TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(RESOLVER)
        asked = Path(folder, "asked")
        environment = {"PYTHONPATH": folder, "ASKED": str(asked)}
        lines = lambda: len(asked.read_text().splitlines()) if asked.exists() else 0  # noqa: E731
        yield at("https://api.postpress.test/v1") | environment, lines


STUCK = [
    never_resolved,
    silent,
    trickling,
    silent_over_tls,
    stuck_in_the_handshake,
    stuck_in_connect,
    a_proxy_that_trickles,
    never_accepting,
]


@pytest.mark.parametrize(
    ("command", "stuck"),
    [
        ("script", silent),
        ("check", silent),
        ("check", never_resolved),
        *(("run", stuck) for stuck in STUCK),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_ctrl_c_ends_it_at_once(
    command: str,
    stuck: Callable[[Authority], AbstractContextManager[Stuck]],
    authority: Authority,
    tmp_path: Path,
) -> None:
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in VARIABLES}
    settings = {
        "HOME": str(tmp_path),
        "SOURCES__POSTPRESS__API_KEY": KEY,
        "SOURCES__POSTPRESS__ACCOUNT_ID": ",".join(ACCOUNTS),
        "RUNTIME__REQUEST_TIMEOUT": "300",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    with ExitStack() as stack:
        environment, held_up = stack.enter_context(stuck(authority))
        process = subprocess.Popen(
            COMMANDS[command],
            cwd=tmp_path,
            env=inherited | settings | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        stack.enter_context(process)
        stack.callback(process.kill)  # should it go on
        walked_at_once = 1 if command == "check" else len(ACCOUNTS)
        wait_for(lambda: held_up() >= walked_at_once, "requests")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        took = time.monotonic() - began
    assert process.returncode == EXPECTED[command], said.decode()
    assert took < SECONDS, said.decode()
