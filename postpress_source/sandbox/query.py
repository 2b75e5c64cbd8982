"""Reads the query of ``GET /v1/chats``, strictly."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from . import clock
from .cursor import DEFAULT_LIMIT, Cursor, Filters, read_cursor, resume
from .inbox import PROVIDERS
from .options import WorldOptions
from .problems import ApiError

ACCOUNT_IDS = r"^[!-+\--~]+(,[!-+\--~]+)*$"  # visible ASCII; \s differs between regex dialects
PARAMETERS = ("account_id", "account_type", "unread", "before", "after", "limit", "cursor")
_FLAGS = {"true": True, "false": False}


def parse_query(query_string: bytes) -> list[tuple[str, str]]:
    """Names and values in the order sent, decoded; empty values are kept."""
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)


def read_query(query: list[tuple[str, str]], options: WorldOptions) -> Cursor:
    """The page a request asks for.

    Beside a cursor all other parameters are ignored, wanted again or refused, as
    `WorldOptions.cursor_filters` says.

    Raises:
        ApiError: 400; the message names the parameter and what is allowed.
    """
    values = dict(query)
    if len(values) < len(query):
        raise _refused("a parameter was sent twice")
    token = values.get("cursor")
    if token is not None and options.cursor_filters == "carried":
        return read_cursor(token)
    unknown = values.keys() - set(PARAMETERS)
    if unknown and options.unknown_parameters == "refused":
        raise _refused(f"unknown: {', '.join(sorted(unknown))}")
    filters = Filters(
        _account_ids(values.get("account_id")),
        _account_type(values.get("account_type")),
        _unread(values.get("unread")),
        _moment("before", values.get("before")),
        _moment("after", values.get("after")),
    )
    limit = _limit(values["limit"]) if "limit" in values else None
    if token is None:
        return Cursor(filters, limit or DEFAULT_LIMIT)
    return resume(token, filters, limit, options.cursor_filters)


def _refused(detail: str) -> ApiError:
    return ApiError("errors/invalid_parameters", detail)


def _account_ids(value: str | None) -> tuple[str, ...] | None:
    if value is not None and not re.fullmatch(ACCOUNT_IDS, value):
        raise _refused("account_id: an account id or a comma-separated list of ids")
    return None if value is None else tuple(value.split(","))


def _account_type(value: str | None) -> str | None:
    if value is not None and value not in PROVIDERS:
        raise _refused(f"account_type: one of {', '.join(PROVIDERS)}")
    return value


def _unread(value: str | None) -> bool | None:
    if value is not None and value not in _FLAGS:
        raise _refused("unread: true or false")
    return None if value is None else _FLAGS[value]


def _moment(name: str, value: str | None) -> int | None:
    try:
        return None if value is None else clock.from_text(value)
    except ValueError as error:
        raise _refused(f"{name}: a UTC datetime, YYYY-MM-DDTHH:MM:SS.sssZ") from error


def _limit(value: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,2}", value) or int(value) > 250:
        raise _refused("limit: an integer from 1 to 250")
    return int(value)
