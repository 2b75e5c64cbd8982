"""What a run did, held against what the API shows and what was promised; no code of the package.

I1 Kept       what is listed, and has landed, is never deleted
I2 Complete   a complete walk brought all that was asked for, and nothing else landed
I3 Isolated   what happens to one account costs that account alone
I5 Gone       an account that shrinks at once keeps its rows until a second full walk agrees
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from postpress_source.sandbox.cursor import Filters
from tests.proof.listing import Order, Row, expected_row
from tests.proof.tales import WatchedWorld

PLAUSIBLE: Final = 0.1
_NUMBERS: Final = ("type", "unread_count", "archived", "muted_until", "read_only", "pinned")
_MARKS: Final = frozenset("0123456789-.")


@dataclass(frozen=True)
class Walked:
    """What is looked at of a walk; `moved`: its watermark, `said`: what the ledger says."""

    account_id: str | None
    kind: str
    to_the_end: bool
    complete: bool
    failed: bool
    kept: int
    moved: bool = False
    unchanged: bool = False
    said: str = ""


@dataclass(frozen=True)
class Look:
    """The world at one moment.

    Attributes:
        there: All chats, as rows, those that wait to trickle back included.
        listed: The ids of those that the API would list.
        sick: Accounts that are answered with an error.
        away: Accounts that vanished.
        repeats: How pages repeat.
    """

    there: Mapping[str, Row]
    listed: frozenset[str]
    sick: frozenset[str]
    away: frozenset[str]
    repeats: str

    @classmethod
    def at(cls, world: WatchedWorld) -> Look:
        accounts = world.accounts.values()
        return cls(
            {chat["id"]: as_row(chat) for chat in world.relist(whole=True)},
            frozenset(chat["id"] for chat in world.relist()),
            frozenset(a.id for a in accounts if a.connected and a.status != "OK"),
            frozenset(a.id for a in accounts if not a.connected),
            world.options.repeats,
        )


@dataclass
class Run:
    """One run: what it was asked for, what it met, what it did; `walks` is None if it failed."""

    order: Order
    looks: list[Look]
    before: Mapping[str, Row]
    wanted: Mapping[str | None, list[Row]]
    disturbed: bool = False
    shown: Mapping[str, list[Row]] = field(default_factory=dict)
    pages: Sequence[tuple[Filters, list[Row]]] = ()
    walks: Sequence[Walked] | None = None
    after: Mapping[str, Row] = field(default_factory=dict)

    @property
    def sick(self) -> frozenset[str]:
        return frozenset().union(*(look.sick | look.away for look in self.looks))


class Judge:
    """Judges the runs of one history, in turn."""

    def __init__(self, world: WatchedWorld) -> None:
        self.world = world
        self.missed: dict[str, set[str]] = defaultdict(set)
        """By account, the rows that a full walk has missed since they were last shown."""

    def judge(self, run: Run) -> None:
        """Assert all that is promised of a run."""
        if run.walks is None:
            assert run.after == run.before, "a run that failed changed the table"
            assert self.may_fail(run), "the run failed, and needn't have"
            return
        self.kept(run)
        self.landed(run)
        self.complete(run)
        self.isolated(run)
        self.note_missed(run, run.walks)

    # --- I1, I5 ----------------------------------------------------------------------------------

    def kept(self, run: Run) -> None:
        """Nothing goes that is listed; what seems gone goes when that may be believed."""
        deleted = {c: run.before[c]["account_id"] for c in run.before.keys() - run.after.keys()}
        lost = deleted.keys() & run.shown.keys()
        assert not lost or not self.can_tell(run), f"I1: just listed, and deleted: {lost}"
        rows = Counter(row["account_id"] for row in run.before.values())
        for account, count in Counter(deleted.values()).items():
            mine = {chat for chat, of in deleted.items() if of == account}
            there = {c for c in mine if all(c in look.there for look in run.looks)}
            few = max(1, PLAUSIBLE * rows[account])
            hasty = there - self.missed[account]
            held = len(hasty) <= few or count <= few or not self.can_tell(run)
            assert held, f"I5: only just missed, and deleted: {hasty}"
            if self.looks_short(run, account):
                continue
            listed = {c for c in mine if all(c in look.listed for look in run.looks)}
            assert not listed, f"I1: listed all along, and deleted: {listed}"
            away = {c for c in mine if c in self.world}
            sick = run.looks[-1].sick | run.looks[-1].away
            assert not away or account not in sick, f"I1: deleted while {account} is away"

    def looks_short(self, run: Run, account: str) -> bool:
        """Whether every list of the account is short in the same way, without a sign of it."""
        options = self.world.options
        lies = {*options.ignored_filters, *options.first_page_filters}
        hides = options.sick_in_list in ("first", "every_second")
        no_error = "account_id" in lies and account in run.sick and hides
        return no_error or not self.can_tell(run)

    def note_missed(self, run: Run, walks: Sequence[Walked]) -> None:
        """Remember what a full walk didn't show of accounts that it read."""
        for chats in self.missed.values():
            chats.difference_update(run.shown)
        order = run.order
        if order.unread is not None or order.before or order.after:
            return
        full = {w.account_id for w in walks if w.kind == "full" and w.complete and w.to_the_end}
        for chat, row in run.before.items():
            if full & {None, row["account_id"]} and chat not in run.shown:
                self.missed[row["account_id"]].add(chat)

    # --- I2 --------------------------------------------------------------------------------------

    def landed(self, run: Run) -> None:
        """What lands was shown by this run, is as it was shown, and was asked for."""
        for chat, row in run.after.items():
            if run.before.get(chat) == row:
                continue
            assert row in run.shown.get(chat, []), f"I2: never shown like that: {row}"
            assert asked_for(run.order, row), f"I2: nobody asked for it: {row}"

    def complete(self, run: Run) -> None:
        """A complete walk to the end, of a list that held still, brought all that it wanted."""
        moved = [w for w in run.walks or () if w.moved and not w.complete]
        assert not moved, f"I2: not complete, and its watermark moved: {moved}"
        holes = [w for w in run.walks or () if run.order.end and not w.complete]
        assert not holes, f"I2: a backfill with holes, and green: {holes}"
        if run.disturbed or not self.can_tell(run):
            return
        foreign = [w for w in run.walks or () if w.complete and self.met_others(run, w)]
        assert not foreign, f"I2: complete with chats that nobody asked for: {foreign}"
        for walk in run.walks or ():
            if not walk.complete or not (walk.to_the_end or walk.kind == "backfill"):
                continue
            wanted = run.wanted.get(walk.account_id, [])
            mine = [row for row in wanted if row["account_id"] not in self.unseen(run, walk)]
            missing = [row for row in mine if run.after.get(row["id"]) != row]
            assert not missing, f"I2: complete without {missing}"

    def met_others(self, run: Run, walk: Walked) -> bool:
        """Whether pages that the walk asked for showed what it hadn't asked for."""
        ids = None if walk.account_id is None else (walk.account_id,)
        order = Order(ids or (), run.order.account_type, run.order.unread)
        return any(
            not asked_for(order, row)
            for asked, rows in run.pages
            for row in rows
            if (asked.account_ids, asked.account_type, asked.unread)
            == (ids, order.account_type, order.unread)
        )

    def can_tell(self, run: Run) -> bool:
        """Whether a reader can tell from what it is shown that something isn't shown."""
        options = self.world.options
        if options.ties == "unstable":
            return False
        # a page that repeats says nothing if there is nothing on it, or something new each time
        hollow = options.short_pages or options.empty_every is not None
        grows = run.disturbed or any(account.trickle for account in self.world.accounts.values())
        return not (hollow or grows) or all(look.repeats != "instead" for look in run.looks)

    def unseen(self, run: Run, walk: Walked) -> frozenset[str]:
        """Accounts of which such a walk needn't see all."""
        whole = walk.account_id is None and self.world.options.sick_in_list == "stale"
        away = frozenset().union(*(look.away for look in run.looks))
        return away if whole else run.sick

    # --- I3 --------------------------------------------------------------------------------------

    def honest(self, run: Run) -> bool:
        """Whether lists are of the account that they are asked for."""
        options = self.world.options
        lies = {*options.ignored_filters, *options.first_page_filters}
        repeats = any(look.repeats != "none" for look in run.looks)
        return not lies and not repeats and options.ties == "stable"

    def may_fail(self, run: Run) -> bool:
        """Whether a run may end with an error."""
        options = self.world.options
        if not self.honest(run) or run.order.trouble.fails or run.order.trouble.refused:
            return True
        if not run.order.account_ids:
            return bool(run.sick) and options.sick_in_list == "fails"
        unwell = {a for a in run.order.account_ids if a in run.sick or a not in self.world.accounts}
        if run.order.end is not None:
            guests = any(account.guests for account in self.world.accounts.values())
            return bool(unwell) or guests
        return unwell == set(run.order.account_ids)

    def isolated(self, run: Run) -> None:
        """An account that is well is read; one that isn't is said, and keeps its rows."""
        if not self.honest(run) or run.order.trouble.fails or run.order.trouble.refused:
            return
        for walk in run.walks or ():
            account = walk.account_id
            if account is None or account not in self.world.accounts:
                continue
            if account not in run.sick:
                assert not walk.failed, f"I3: {account} is well, and wasn't read"
                hosts = bool(self.world.accounts[account].guests) or run.disturbed
                assert walk.complete or hosts, f"I3: {account} is well, and wasn't read whole"
            elif not run.disturbed and account in run.looks[0].sick:
                assert walk.failed, f"I3: {account} is sick, and nobody says so"
                assert not walk.complete


def asked_for(order: Order, row: Row) -> bool:
    """Whether a row is what a run wanted; what has no value contradicts nothing."""
    at, unread = row["timestamp"], row["unread_count"]
    return (
        (not order.account_ids or row["account_id"] in order.account_ids)
        and (order.account_type is None or row["account_type"] in (None, order.account_type))
        and (order.unread is None or unread is None or bool(unread) is order.unread)
        and (order.start is None or at is None or at >= order.start)
        and (order.end is None or at is None or at < order.end)
    )


def as_row(chat: Mapping[str, Any]) -> Row:
    """The row of a chat, however the API writes its numbers and instants."""
    plain = dict(chat)
    for name in _NUMBERS:
        value = plain.get(name)
        if isinstance(value, bool | float) or (isinstance(value, str) and set(value) <= _MARKS):
            plain[name] = int(float(value))
    row = expected_row(plain)
    for name in ("timestamp", "muted_until"):
        if isinstance(row[name], datetime) and row[name].tzinfo is None:
            row[name] = row[name].replace(tzinfo=UTC)
    return row
