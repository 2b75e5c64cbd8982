"""What the table must hold, told from what happened: the model that the properties compare with.

Everything that happens puts a chat on a list, with the time when the table must be right about it
by `guarantees`. A run takes chats off the list. A chat that isn't on it must be in the table
exactly as the API lists it; one that isn't listed any more must not be there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from postpress_source.sandbox import World
from tests.proof.guarantees import Right
from tests.proof.happenings import Happened, instant, right_after
from tests.proof.listing import Order, Row, expected_row

ORDER_PROOF_DESCENTS = 16


@dataclass
class Walked:
    """The start of the last full walk, None if one is due whatever the time; its start date; and
    the accounts whose whole history has been read."""

    at: datetime | None = None
    since: datetime | None = None
    accounts: set[str] = field(default_factory=set)


@dataclass
class View:
    """A list that is walked on its own: a scope, and an account in it (or all visible ones).

    Attributes:
        open: The chats that the table needn't be right about yet, and until when.
        walked: The last full walk, shared with views that differ in the start date alone.
        trusted_wrongly: The list isn't newest first, but looked so all along.
    """

    order: Order
    account: str | None
    open: dict[str, Right] = field(default_factory=dict)
    walked: Walked = field(default_factory=Walked)
    trusted_wrongly: bool = False

    def listed(self, world: World) -> list[dict[str, Any]]:
        """What the API lists for it, whole; only those chats that the run wants."""
        chats = world.relist(
            account_id=self.account,
            account_type=self.order.account_type,
            unread=self.order.unread,
        )
        start = self.order.start
        if start is None:
            return chats
        return [chat for chat in chats if (at := instant(chat)) is None or at >= start]

    def note(self, happened: Happened) -> None:
        """Something happened; the table may be wrong about it until then."""
        for chat, name in happened.chats.items():
            right = right_after(name)
            if happened.sinks or self.trusted_wrongly:
                right = Right.FULL
            elif right is Right.FULL and self.open.get(chat) is Right.HEAD:
                right = Right.HEAD  # it is near the top anyway
            self.open[chat] = right

    def is_due(self, now: datetime, full_walk_every: timedelta) -> bool:
        """Whether the next walk must be a full one."""
        at, since, start = self.walked.at, self.walked.since, self.order.start
        if at is None or now - at >= full_walk_every:
            return True
        return since is not None and (start is None or start < since)

    def walked_fully(self, began: datetime) -> None:
        """A full walk has ended."""
        self.walked.at, self.walked.since = began, self.order.start

    def settle(self, right: Right, except_for: Iterable[str]) -> None:
        """A walk has come by: the table must now be right about all of these, those apart."""
        kept = set(except_for)
        self.open = {
            chat: until
            for chat, until in self.open.items()
            if chat in kept or (right is Right.HEAD and until is not Right.HEAD)
        }

    def settle_account(self, world: World, account: str) -> None:
        """An account was walked to its end."""
        mine = {chat["id"] for chat in world.relist(account_id=account)}
        self.open = {chat: until for chat, until in self.open.items() if chat not in mine}
        self.walked.accounts.add(account)

    def postpone(self, chats: Iterable[str] | None = None) -> None:
        """A run may have passed these by (None: any): only a full walk is sure to bring them."""
        for chat in list(self.open) if chats is None else chats:
            self.open[chat] = Right.FULL

    def looks_newest_first(self, world: World) -> bool:
        """Whether the order of the whole list would be trusted."""
        known = [at for chat in self.listed(world) if (at := instant(chat)) is not None]
        steps = list(itertools.pairwise(known))
        descents = sum(a > b for a, b in steps)
        return descents >= ORDER_PROOF_DESCENTS and all(a >= b for a, b in steps)


def differences(
    view: View,
    world: World,
    rows: Mapping[str, Row],
    hidden: set[str],
    shape: Callable[[Row], Row],
) -> dict[str, str]:
    """Chats of the view that the table is wrong about without leave, each with how."""
    wrong: dict[str, str] = {}
    for chat in view.listed(world):
        if chat["id"] in view.open or chat["account_id"] in hidden:
            continue
        row, expected = rows.get(chat["id"]), shape(expected_row(chat))
        if row is None:
            wrong[chat["id"]] = "missing"
        elif row != expected:
            fields = [name for name in expected if row.get(name) != expected[name]]
            wrong[chat["id"]] = ", ".join(
                f"{name} is {row.get(name)!r}, not {expected[name]!r}" for name in fields
            )
    return wrong
