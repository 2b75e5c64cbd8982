"""Serves a world over HTTP on loopback: in a thread, in a process, or until somebody stops it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from .app import build_app
from .gate import CONTROL, DEFAULT_KEY, RateLimit, Sandbox
from .generate import generate_world
from .world import World

HOST = "127.0.0.1"
_START_SECONDS = 10.0


_Base: Any = AutoHTTPProtocol  # on httptools where it is installed, else on h11, which is slower


class _Protocol(_Base):  # type: ignore[misc]  # uvicorn types it as a variable
    """uvicorn's protocol, handing its transport down so that a fault can cut the connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, "transport": transport}


@contextmanager
def serve(
    world: World,
    *,
    port: int = 0,
    api_key: str | None = None,
    latency: timedelta = timedelta(0),
    rate_limit: RateLimit | None = None,
    worlds: Mapping[str, World] | None = None,
) -> Iterator[Sandbox]:
    """Serve a world from a thread of this process, ready at once, stopped at the end.

    Args:
        world: May be changed, or replaced on the yielded `Sandbox`, while it is served.
        port: On 127.0.0.1; 0: a free one.
        api_key: The only key to take; None: every one that starts with pp_live_ or pp_test_.
        latency: Waited before each answer.
        rate_limit: A bucket over all requests; beyond it they get 429.
        worlds: Other workspaces on the same server, each behind the key that it stands under.

    Raises:
        OSError: The port is taken.
        Exception: At the end, the first one that the sandbox or a ``before_page`` hook raised.
    """
    sandbox = Sandbox(world, api_key, latency, rate_limit, worlds=dict(worlds or {}))
    with _listen(port) as listener:
        origin = f"http://{HOST}:{listener.getsockname()[1]}"
        sandbox.url = f"{origin}/v1"
        with _running(sandbox, listener):
            yield sandbox
    if sandbox.crashes:
        raise sandbox.crashes[0]


def _listen(port: int) -> socket.socket:
    # With the protocol named, since asyncio sets TCP_NODELAY only then; without it small answers
    # wait 40 ms for the client's acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def _running(sandbox: Sandbox, listener: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(
        build_app(sandbox),
        http=_Protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    # uvicorn installs its signal handlers only in the main thread, so none are installed here.
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True, name="sandbox")
    thread.start()
    _wait_until_ready(server, thread)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)


def _wait_until_ready(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise RuntimeError("the sandbox's server didn't start")
        time.sleep(0.002)


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A sandbox in a process of its own.

    Attributes:
        url: The base URL, ``http://127.0.0.1:PORT/v1``.
        key: A key that it takes.
        pid: The process.
    """

    url: str
    key: str
    pid: int

    def advance(self, time: timedelta, activity: float = 1.0) -> dict[str, int]:
        """Let time pass in its world, as `World.advance`."""
        body = {"hours": time / timedelta(hours=1), "activity": activity}
        events: dict[str, int] = self._control("advance", body)["events"]
        return events

    def stats(self) -> dict[str, Any]:
        """Its clock, accounts, and counts of chats, requests, pages and sync calls."""
        return self._control("stats")

    def _control(self, call: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(  # noqa: S310  # http to loopback
            f"{self.url.removesuffix('/v1')}{CONTROL}/{call}", data, headers
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@contextmanager
def serve_process(
    chats: int = 500,
    accounts: int = 4,
    seed: int = 7,
    now: datetime | None = None,
    *,
    port: int = 0,
    api_key: str | None = None,
    latency: timedelta = timedelta(0),
    **options: Any,
) -> Iterator[SandboxProcess]:
    """Serve a generated world from another process, so that it shares no interpreter lock.

    The arguments are those of `generate_world` and `serve`. The process ends with this block, and
    with this process however that ends.
    """
    world = {"chats": chats, "accounts": accounts, "seed": seed, **options}
    world["now"] = now and now.isoformat()
    order = {
        "world": world,
        "port": port,
        "api_key": api_key,
        "ms": latency / timedelta(milliseconds=1),
    }
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen(  # noqa: S603  # this interpreter, this module
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    with child:
        try:
            url = _give_order(child, json.dumps(order))
            yield SandboxProcess(url, api_key or DEFAULT_KEY, child.pid)
        finally:
            if child.stdin:
                child.stdin.close()


def _give_order(child: subprocess.Popen[str], order: str) -> str:
    """The URL that the child serves, once it does."""
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the sandbox's process has no pipes")
    child.stdin.write(order + "\n")
    child.stdin.flush()
    url = child.stdout.readline().strip()
    if not url:
        raise RuntimeError("the sandbox's process didn't start; its error is on stderr")
    return url


def _serve_as_child() -> None:
    """Serve what the first line of standard input orders, until standard input ends."""
    order = json.loads(sys.stdin.readline())
    now = order["world"].pop("now")
    world = generate_world(now=datetime.fromisoformat(now) if now else None, **order["world"])
    latency = timedelta(milliseconds=order["ms"])
    with serve(world, port=order["port"], api_key=order["api_key"], latency=latency) as sandbox:
        sys.stdout.write(sandbox.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def run_forever(
    chats: int = 500,
    accounts: int = 4,
    seed: int = 7,
    *,
    port: int = 8765,
    speed: float = 1.0,
    behind: timedelta = timedelta(0),
    latency: timedelta = timedelta(0),
    say: Callable[[str], object] = print,
    **options: Any,
) -> None:
    """Serve a generated world until Ctrl-C, saying how to reach it; time passes as in real life.

    It takes the key that it says and no other, as PostPress would.

    Args:
        chats: In all accounts together.
        accounts: Linked accounts.
        seed: Which world.
        port: On 127.0.0.1; 0: a free one.
        speed: How much livelier than a real inbox; the clock itself keeps real time.
        behind: How far the world's clock lies behind the real one at first, room for
            ``POST /_sandbox/advance`` without timestamps in the future.
        latency: Waited before each answer.
        say: Takes the lines for the person.
        options: Fields of `WorldOptions`.
    """
    world = generate_world(chats, accounts, seed, datetime.now(UTC) - behind, **options)
    with serve(world, port=port, api_key=DEFAULT_KEY, latency=latency) as sandbox:
        try:
            say(_introduction(sandbox))
            at = time.monotonic()
            while True:
                time.sleep(1)
                passed, at = time.monotonic() - at, time.monotonic()
                world.advance(timedelta(seconds=passed), speed)
        except KeyboardInterrupt:
            say("Stopped.")


def _introduction(sandbox: Sandbox) -> str:
    account_id = next(iter(sandbox.world.accounts), None)
    query = f"account_id={account_id}&limit=100" if account_id else "limit=100"
    origin = sandbox.url.removesuffix("/v1")
    return f"""\
PostPress sandbox: {len(sandbox.world)} chats in {len(sandbox.world.accounts)} accounts
  base_url  {sandbox.url}
  api_key   {sandbox.key}

curl --request GET \\
  --url '{sandbox.url}/chats?{query}' \\
  --header 'X-API-KEY: {sandbox.key}' \\
  --header 'accept: application/json'

Six hours pass:  curl --json '{{"hours": 6}}' {origin}{CONTROL}/advance
Ctrl-C stops it."""


if __name__ == "__main__":
    _serve_as_child()
