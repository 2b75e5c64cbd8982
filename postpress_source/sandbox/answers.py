"""How each kind of fault is answered: at the ASGI level, and one below it on the raw connection."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from .cursor import Cursor, write_cursor
from .faults import Fault, Json, error_body
from .recording import RecordedRequest
from .world import World

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
JSON = {"content-type": "application/json"}
_MEGABYTE = b"x" * 1_000_000
_GATEWAY_HTML = "<html><head><title>502</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A faulty request, and what is needed to answer it."""

    fault: Fault
    request: RecordedRequest
    cursor: Cursor | None
    world: World
    app: App
    scope: Scope
    receive: Receive
    send: Send

    async def truth(self) -> Answer:
        """What the server would answer without the fault."""
        answer = Answer(500, {}, b"")

        async def collect(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        await self.app(self.scope, self.receive, collect)
        return answer


async def send_start(send: Send, answer: Answer) -> None:
    """Send the status line and the headers, as they are."""
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    message = {"type": "http.response.start", "status": answer.status, "headers": headers}
    await send(message)


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a whole answer with its true Content-Length."""
    answer.headers["content-length"] = str(len(answer.body))
    await send_start(send, answer)
    await send({"type": "http.response.body", "body": answer.body})


async def answer_fault(exchange: Exchange) -> None:
    """Answer a request as its fault says."""
    kind = exchange.fault.kind
    if kind in _RAW:
        await _RAW[kind](exchange)
    elif kind in _EDITS:
        await send_answer(exchange.send, _edited(exchange, await exchange.truth()))
    else:
        await send_answer(exchange.send, _made_up(exchange))


# --- answers that have nothing of the truth ----------------------------------------------------


def _made_up(exchange: Exchange) -> Answer:
    fault, envelope = exchange.fault, exchange.world.options.error_envelope
    if fault.kind == "redirect":
        status = fault.status if 300 <= fault.status < 400 else 302
        return Answer(status, {"location": fault.location} | fault.all_headers(), b"")
    if fault.kind == "deep":
        nested = b"[" * fault.depth + b"]" * fault.depth
        return Answer(
            200, dict(JSON), b'{"object":"ChatList","items":[' + nested + b'],"cursor":null}'
        )
    if fault.kind == "empty_body":
        return Answer(200, dict(JSON), b"")
    if fault.kind == "error_200":
        return Answer(200, dict(JSON), msgspec.json.encode(error_body(500, envelope)))
    if fault.body is None and fault.status == 502:
        html = {"content-type": "text/html"} | fault.all_headers()
        return Answer(502, html, _GATEWAY_HTML.encode())
    body = error_body(fault.status, envelope) if fault.body is None else fault.body
    return Answer(fault.status, JSON | fault.all_headers(), _bytes(body))


def _bytes(body: object) -> bytes:
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else msgspec.json.encode(body)


# --- answers that change the true page ---------------------------------------------------------


def _edited(exchange: Exchange, truth: Answer) -> Answer:
    if truth.status == 200 and truth.headers.get("content-type") == "application/json":
        page: Json = msgspec.json.decode(truth.body)
        truth.body = _bytes(_EDITS[exchange.fault.kind](exchange, page))
    return truth


def _list_key(page: Json) -> str:
    return "items" if "items" in page else "data"


def _cursor_key(page: Json) -> str:
    return "next_cursor" if "next_cursor" in page else "cursor"


def _drop_list(_: Exchange, page: Json) -> object:
    del page[_list_key(page)]
    return page


def _list_to_dict(_: Exchange, page: Json) -> object:
    page[_list_key(page)] = dict(enumerate(page[_list_key(page)]))
    return page


def _drop_id(_: Exchange, page: Json) -> object:
    for chat in page[_list_key(page)][:1]:
        chat.pop("id", None)
    return page


def _drop_cursor(_: Exchange, page: Json) -> object:
    del page[_cursor_key(page)]
    return page


def _repeat_cursor(exchange: Exchange, page: Json) -> object:
    page[_cursor_key(page)] = exchange.request.query["cursor"]
    return page


def _cycle_cursor(exchange: Exchange, page: Json) -> object:
    if exchange.cursor is not None:
        here = exchange.cursor
        page[_cursor_key(page)] = exchange.world.peek(Cursor(here.filters, here.limit)).cursor
    return page


def _never_end(exchange: Exchange, page: Json) -> object:
    here = exchange.cursor
    if here is not None and page[_cursor_key(page)] is None:
        again = Cursor(here.filters, here.limit, here.page + 1, exchange.world.pages_served)
        page[_cursor_key(page)] = write_cursor(again)
    return page


def _edit(exchange: Exchange, page: Json) -> object:
    return exchange.fault.edit(page)


_EDITS: dict[str, Callable[[Exchange, Json], object]] = {
    "no_list": _drop_list,
    "list_not_list": _list_to_dict,
    "record_without_id": _drop_id,
    "no_cursor": _drop_cursor,
    "repeat_cursor": _repeat_cursor,
    "cycle_cursor": _cycle_cursor,
    "endless": _never_end,
    "edit": _edit,
}


# --- answers that break or stretch the way of the bytes ----------------------------------------


async def _close(exchange: Exchange) -> None:
    # ASGI has no word for "no answer" (uvicorn would make a 500 of it), so the server's protocol
    # hands its transport down; see `server._Protocol`.
    exchange.scope["state"]["transport"].abort()
    await asyncio.sleep(0)  # connection_lost runs now, so that uvicorn sends nothing after it


async def _truncate(exchange: Exchange) -> None:
    answer = await exchange.truth()
    await send_start(exchange.send, answer)
    body = answer.body[: len(answer.body) // 2]
    await exchange.send({"type": "http.response.body", "body": body, "more_body": True})
    # Returning with the body unfinished makes uvicorn close the connection, which is the fault.


async def _half_json(exchange: Exchange) -> None:
    answer = await exchange.truth()
    answer.body = answer.body[: len(answer.body) // 2]
    await send_answer(exchange.send, answer)


async def _slow(exchange: Exchange) -> None:
    await asyncio.sleep(exchange.fault.delay.total_seconds())
    await exchange.app(exchange.scope, exchange.receive, exchange.send)


async def _drip(exchange: Exchange) -> None:
    answer = await exchange.truth()
    await send_start(exchange.send, answer)
    step = max(1, -(-len(answer.body) // 10))
    for start in range(0, len(answer.body), step):
        piece = answer.body[start : start + step]
        await exchange.send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(exchange.fault.delay.total_seconds())
    await exchange.send({"type": "http.response.body", "body": b""})


async def _huge(exchange: Exchange) -> None:
    answer = await exchange.truth()
    del answer.headers["content-length"]
    await send_start(exchange.send, answer)
    await exchange.send({"type": "http.response.body", "body": b'{"padding":"', "more_body": True})
    for _ in range(exchange.fault.megabytes):
        await exchange.send({"type": "http.response.body", "body": _MEGABYTE, "more_body": True})
    await exchange.send({"type": "http.response.body", "body": b'",' + answer.body[1:]})


async def _gzip(exchange: Exchange) -> None:
    answer = await exchange.truth()
    answer.headers["content-encoding"] = "gzip"
    answer.body = gzip.compress(answer.body, 1)
    await send_answer(exchange.send, answer)


_RAW: dict[str, Callable[[Exchange], Awaitable[None]]] = {
    "close": _close,
    "truncate": _truncate,
    "bad_json": _half_json,
    "slow": _slow,
    "drip": _drip,
    "huge": _huge,
    "gzip": _gzip,
}
