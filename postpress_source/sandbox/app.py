"""The API as a FastAPI application."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import Body, FastAPI, Request, Response
from starlette.exceptions import HTTPException

from . import clock
from .gate import CONTROL, Gate, Sandbox, sent_key
from .openapi import openapi_document
from .problems import ApiError
from .query import parse_query, read_query

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAX_HOURS = 24 * 366
_PREFIXES = ("/v1", "/api/v1")
_JSON = "application/json"


def build_app(sandbox: Sandbox) -> Gate:
    """The ASGI application that serves ``sandbox.world`` as `openapi_document` says."""
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False)
    app.openapi = openapi_document  # type: ignore[method-assign]  # FastAPI's way to replace it
    _add_api(app, sandbox)
    _add_control(app, sandbox)
    _add_errors(app, sandbox)
    return Gate(app, sandbox)


def _add_api(app: FastAPI, sandbox: Sandbox) -> None:
    async def list_chats(request: Request) -> Response:
        check_key(request, sandbox)
        world = sandbox.world_for(request.scope["headers"])
        cursor = read_query(parse_query(request.scope["query_string"]), world.options)
        page = world.page(cursor)
        return Response(page.body(world.options.envelope), media_type=_JSON)

    async def start_sync(request: Request) -> Response:
        check_key(request, sandbox)
        return Response(b'{"object":"Sync","status":"started"}', media_type=_JSON)

    for prefix in _PREFIXES:
        app.add_api_route(f"{prefix}/chats", list_chats, include_in_schema=False)
        for path in ("chats", "accounts"):
            route = f"{prefix}/{path}/{{id}}/sync"
            app.add_api_route(route, start_sync, methods=["GET", "POST"], include_in_schema=False)


def check_key(request: Request, sandbox: Sandbox) -> None:
    """Let a request pass whose key is good: as `Sandbox.api_key` and `Sandbox.worlds` say.

    Raises:
        ApiError: 401; no key, or a bad one.
    """
    key = sent_key(request.scope["headers"])
    if not key:
        raise ApiError("errors/missing_credentials")
    only = sandbox.api_key
    good = key == only if only is not None else key.startswith(("pp_live_", "pp_test_"))
    if not good and key not in sandbox.worlds:
        raise ApiError("errors/invalid_credentials")


def _add_control(app: FastAPI, sandbox: Sandbox) -> None:
    def advance(
        request: Request,
        hours: Annotated[float, Body(ge=0, le=MAX_HOURS)],
        activity: Annotated[float, Body(ge=0, le=1000)] = 1.0,
    ) -> dict[str, Any]:
        _check_local(request)
        events = sandbox.world.advance(timedelta(hours=hours), activity)
        return {"now": _now(sandbox), "events": events}

    def stats(request: Request) -> dict[str, Any]:
        _check_local(request)
        accounts = [
            {"id": a.id, "type": a.type, "status": a.status, "connected": a.connected}
            for a in list(sandbox.world.accounts.values())
        ]
        return {
            "now": _now(sandbox),
            "chats": len(sandbox.world),
            "accounts": accounts,
            "requests": sandbox.request_count,
            "pages_served": sandbox.world.pages_served,
            "sync_calls": len(sandbox.sync_calls),
        }

    for path, call, method in (("advance", advance, "POST"), ("stats", stats, "GET")):
        route = f"{CONTROL}/{path}"
        app.add_api_route(route, call, methods=[method], include_in_schema=False)


def _now(sandbox: Sandbox) -> str:
    return clock.to_text(clock.to_ms(sandbox.world.now))


def _check_local(request: Request) -> None:
    # The Host header too, lest a web page reach the control API through a name of its own.
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host")
    if host not in LOOPBACK or (request.client and request.client.host not in ("127.0.0.1", "::1")):
        raise ApiError("errors/resource_not_found")


def _add_errors(app: FastAPI, sandbox: Sandbox) -> None:
    async def refuse(request: Request, error: Exception) -> Response:
        known = _as_api_error(error)
        envelope = sandbox.world_for(request.scope["headers"]).options.error_envelope
        body = msgspec.json.encode(known.body(envelope, f"req_{sandbox.request_count}"))
        return Response(body, known.status, getattr(error, "headers", None), _JSON)

    for kind in (ApiError, HTTPException, Exception):
        app.add_exception_handler(kind, refuse)


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    known = {404: "errors/resource_not_found", 405: "errors/method_not_allowed"}
    if isinstance(error, HTTPException) and error.status_code in known:
        return ApiError(known[error.status_code])
    return ApiError("errors/unexpected_error", f"the sandbox failed: {error!r}")
