"""The record of what a server was asked."""

from __future__ import annotations

from dataclasses import dataclass

KEPT_REQUESTS = 100_000


@dataclass(slots=True)
class RecordedRequest:
    """One request outside the control API.

    Attributes:
        number: From 1 since the server's start or `Sandbox.reset`.
        path: Decoded, without the query.
        query: Name -> value, decoded; of a parameter sent twice the last.
        headers: Lower-cased name -> value.
        status: What was answered; None while it is not, or when nothing was.
    """

    number: int
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int | None = None
