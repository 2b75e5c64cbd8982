"""Faults on demand: which requests are answered wrongly, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Lock
from typing import Any, Literal

from .cursor import Cursor
from .problems import DOCUMENTED, UNDOCUMENTED, ApiError
from .recording import RecordedRequest

Kind = Literal[
    "status", "redirect", "close", "truncate", "bad_json", "empty_body", "slow", "drip",
    "error_200", "no_list", "list_not_list", "record_without_id", "no_cursor", "repeat_cursor",
    "cycle_cursor", "endless", "deep", "huge", "gzip", "edit",
]  # fmt: skip
Json = dict[str, Any]


def _no_edit(page: Json) -> object:
    return page


@dataclass(kw_only=True)
class Fault:
    """One kind of wrong answer, and the requests that get it.

    A request gets it when everything given matches: `request`, `page`, `account_id`, `path`,
    `when`; and only the first `times` such requests.

    Kinds: ``status`` (with `status`, `headers`, `body`, `retry_after`), ``redirect`` (to
    `location`), ``close`` (the connection, before any answer), ``truncate`` (Content-Length is
    the whole body's, half of it comes), ``bad_json`` (half of the body, complete as HTTP),
    ``empty_body``, ``slow`` (the true answer after `delay`), ``drip`` (the true body in ten pieces,
    `delay` between), ``error_200`` (an error envelope), ``no_list``, ``list_not_list``,
    ``record_without_id`` (the page's first), ``no_cursor`` (the key is missing),
    ``repeat_cursor`` (the request's own; meets only pages after the first), ``cycle_cursor`` (back
    to page 2), ``endless`` (never null: starts again, each token new), ``deep`` (`depth` nested
    lists for a record), ``huge`` (the true page and `megabytes` of padding, streamed), ``gzip``
    (the true answer, compressed unasked), ``edit`` (`edit` gets the answer's JSON and returns what
    is sent: bytes as they are, anything else as JSON).

    Attributes:
        request: Number of the request, from 1 since the server's start or `Sandbox.reset`.
        page: Number of the page in its walk, from 1.
        account_id: One that the walk asks for.
        path: What the request's path ends with, such as ``/chats``.
        when: Whether a recorded request gets it.
        times: How many requests get it; None: all that match.
        body: Bytes or text as they are, a dict as JSON; default: the documented envelope (HTML for
            502).
        retry_after: Announced by `retry_form`, rounded up to a second.
        hits: How many requests got it so far.
    """

    kind: Kind = "status"
    request: int | None = None
    page: int | None = None
    account_id: str | None = None
    path: str | None = None
    when: Callable[[RecordedRequest], bool] | None = None
    times: int | None = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | Json | None = None
    retry_after: timedelta | None = None
    retry_form: Literal["seconds", "date", "reset"] = "seconds"
    location: str = ""
    delay: timedelta = timedelta(0)
    depth: int = 100_000
    megabytes: int = 100
    edit: Callable[[Json], object] = _no_edit
    hits: int = 0

    def __post_init__(self) -> None:
        """Refuse a fault that could never do what it says."""
        needs = {"redirect": self.location, "edit": self.edit is not _no_edit, "slow": self.delay}
        if not needs.get(self.kind, True):
            raise ValueError(f"a fault of kind {self.kind!r} lacks what it needs")

    def matches(self, request: RecordedRequest, cursor: Cursor | None) -> bool:
        """Whether a request gets it; ``cursor`` is the page it asks for, if it asks for one."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.kind == "repeat_cursor" and (cursor is None or cursor.page == 1):
            return False
        if self.page is not None and (cursor is None or cursor.page != self.page):
            return False
        ids = cursor.filters.account_ids if cursor else None
        return (
            self.request in (None, request.number)
            and (self.account_id is None or self.account_id in (ids or ()))
            and (self.path is None or request.path.endswith(self.path))
            and (self.when is None or self.when(request))
        )

    def all_headers(self, now: datetime | None = None) -> dict[str, str]:
        """`headers`, with the announcement of `retry_after` as of ``now``."""
        if self.retry_after is None:
            return dict(self.headers)
        seconds = -(-self.retry_after // timedelta(seconds=1))
        if self.retry_form == "reset":
            told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(seconds)}
        elif self.retry_form == "date":
            # A date has no fraction: rounded up too, lest it lie before what was asked for.
            until = (now or datetime.now(UTC)) + self.retry_after + timedelta(milliseconds=999)
            told = {"retry-after": format_datetime(until.replace(microsecond=0), usegmt=True)}
        else:
            told = {"retry-after": str(seconds)}
        return told | dict(self.headers)


class Faults:
    """The faults of one server; safe to use from several threads."""

    def __init__(self) -> None:
        """None at first."""
        self._faults: list[Fault] = []
        self._lock = Lock()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        """All, used up or not, in the order added."""
        return iter(list(self._faults))

    def add(self, fault: Fault) -> Fault:
        """Arm a fault; of several that match a request, the one added first answers it."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._faults.clear()

    def take(self, request: RecordedRequest, cursor: Cursor | None) -> Fault | None:
        """The fault that answers a request, its hit counted."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(request, cursor):
                    fault.hits += 1
                    return fault
        return None


def type_for(status: int) -> str:
    """An error type that belongs to a status; the documented one if there is one."""
    for types in (DOCUMENTED, UNDOCUMENTED):
        for name, (of_status, _) in types.items():
            if of_status == status:
                return name
    return "errors/unexpected_error"


def error_body(status: int, envelope: str) -> Json:
    """An error envelope as the API would send it with a status."""
    return ApiError(type_for(status)).body(envelope, "req_fault") | (
        {"status": status} if envelope == "flat" else {}
    )
