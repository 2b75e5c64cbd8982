"""What every request passes first: the record, the latency, the faults, the rate limit."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from .answers import JSON, Answer, App, Exchange, Receive, Scope, Send, answer_fault, send_answer
from .cursor import Cursor
from .faults import Faults
from .problems import ApiError
from .query import parse_query, read_query
from .recording import KEPT_REQUESTS, RecordedRequest
from .world import World

CONTROL = "/_sandbox"
DEFAULT_KEY = "pp_test_sandbox"
Headers = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)
class RateLimit:
    """A token bucket over all requests of a server: ``burst`` at once, ``per_second`` for ever."""

    burst: int
    per_second: float
    _tokens: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        """Start with a full bucket."""
        self._tokens, self._at = float(self.burst), time.monotonic()

    def take(self) -> tuple[bool, dict[str, str]]:
        """Whether a request may pass, and the headers that say so (reset in seconds until)."""
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.per_second)
        self._at = now
        passed = self._tokens >= 1
        self._tokens -= passed
        wait = str(max(0, -int(-(1 - self._tokens) // self.per_second)))
        headers = {
            "x-ratelimit-limit": str(self.burst),
            "x-ratelimit-remaining": str(int(self._tokens)),
            "x-ratelimit-reset": wait,
        }
        return passed, headers if passed else headers | {"retry-after": wait}


@dataclass
class Sandbox:
    """A server and what stands behind it.

    Attributes:
        world: What it serves; may be replaced at any time.
        api_key: The only key it takes beside those of `worlds`; None: every key that looks like
            PostPress's.
        latency: Waited before each answer, concurrently.
        rate_limit: None: no limit and no headers of one.
        requests: The last 100,000 outside the control API, oldest first.
        faults: What it answers wrongly.
        crashes: Exceptions out of the sandbox itself or a world's ``before_page``; the request got
            a 500, and `serve` raises the first one at its end.
        url: The base URL, ``http://127.0.0.1:PORT/v1``.
        worlds: By key, the other workspaces that it serves; every other key opens `world`. The
            control API is about `world` alone.
    """

    world: World
    api_key: str | None = None
    latency: timedelta = timedelta(0)
    rate_limit: RateLimit | None = None
    requests: deque[RecordedRequest] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))
    faults: Faults = field(default_factory=Faults)
    crashes: list[Exception] = field(default_factory=list)
    url: str = ""
    request_count: int = 0
    worlds: dict[str, World] = field(default_factory=dict)

    def world_for(self, headers: Headers) -> World:
        """The world that a request's key opens; `world` also where there is no good key."""
        if not self.worlds:
            return self.world
        return self.worlds.get(sent_key(headers) or "", self.world)

    @property
    def key(self) -> str:
        """A key that it takes."""
        return DEFAULT_KEY if self.api_key is None else self.api_key

    @property
    def sync_calls(self) -> list[RecordedRequest]:
        """Recorded requests to endpoints that start work; a connector makes none."""
        return [request for request in list(self.requests) if request.path.endswith("/sync")]

    def reset(self, world: World | None = None) -> None:
        """Forget requests, faults and crashes, and serve another world if one is given.

        The `worlds` of other keys stay.
        """
        self.world = self.world if world is None else world
        self.requests.clear()
        self.faults.clear()
        self.crashes.clear()
        self.request_count = 0

    def record(self, scope: Scope) -> RecordedRequest:
        """Keep a request, its status yet unknown."""
        self.request_count += 1
        request = RecordedRequest(
            number=self.request_count,
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_query(scope["query_string"])),
            headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
        )
        self.requests.append(request)
        return request


def sent_key(headers: Headers) -> str | None:
    """The key that a request brings, in ``X-API-KEY`` or as a bearer token; None: none."""
    sent = {name: value.decode("latin-1") for name, value in headers}
    key = sent.get(b"x-api-key")
    scheme, _, token = sent.get(b"authorization", "").partition(" ")
    return token.strip() if key is None and scheme.lower() == "bearer" else key


class Gate:
    """An ASGI app around the API's that answers wrongly where it is told to."""

    def __init__(self, app: App, sandbox: Sandbox) -> None:
        """Put the gate before ``app``."""
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the request, wait, and answer it, wrongly or truly."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self._app(scope, receive, send)
            return
        request = self._sandbox.record(scope)

        async def note_status(message: Any) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
            await send(message)

        try:
            await self._answer(request, scope, receive, note_status)
        except Exception as error:
            self._sandbox.crashes.append(error)
            if request.status is None:
                raise

    async def _answer(
        self, request: RecordedRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        sandbox = self._sandbox
        if sandbox.latency:
            await asyncio.sleep(sandbox.latency.total_seconds())
        if sandbox.faults:
            world = sandbox.world_for(scope["headers"])
            cursor = _asked_for(scope, world)
            fault = sandbox.faults.take(request, cursor)
            if fault is not None:
                await answer_fault(
                    Exchange(fault, request, cursor, world, self._app, scope, receive, send)
                )
                return
        if sandbox.rate_limit is None:
            await self._app(scope, receive, send)
        else:
            await self._answer_limited(sandbox.rate_limit, request, scope, receive, send)

    async def _answer_limited(
        self,
        limit: RateLimit,
        request: RecordedRequest,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        passed, headers = limit.take()
        if not passed:
            envelope = self._sandbox.world_for(scope["headers"]).options.error_envelope
            error = ApiError("errors/too_many_requests")
            body = msgspec.json.encode(error.body(envelope, f"req_{request.number}"))
            await send_answer(send, Answer(error.status, JSON | headers, body))
            return

        async def add_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(k.encode(), v.encode()) for k, v in headers.items()]
            await send(message)

        await self._app(scope, receive, add_headers)


def _asked_for(scope: Scope, world: World) -> Cursor | None:
    try:
        return read_query(parse_query(scope["query_string"]), world.options)
    except ApiError:
        return None
