"""Random histories of a world and of the runs that follow it, told so that they can be read."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from postpress_source import PostpressAccountError, PostpressError
from postpress_source.sandbox import World, WorldOptions
from tests.proof.expectation import View, differences
from tests.proof.guarantees import Right
from tests.proof.happenings import HAPPENINGS, Happened, Happenings
from tests.proof.listing import DAY, LONG, Order, Row, Trouble

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def examples(usual: int) -> int:
    """How many histories: the usual number, or with PROOF=thorough twenty times as many.

    So many take longer than a test may: give pytest `-o faulthandler_timeout=7200`, too.
    """
    return usual * (20 if os.environ.get("PROOF") == "thorough" else 1)


options = st.builds(
    WorldOptions,
    order=st.sampled_from(
        ["newest_first"] * 12 + ["by_account", "oldest_first", "by_id", "shuffled"]
    ),
    nulls=st.sampled_from(["last", "first", "mixed"]),
    cursor=st.sampled_from(["keyset", "offset"]),
    trailing_page=st.booleans(),
    short_pages=st.booleans(),
    rounding=st.booleans(),
    sick_in_list=st.sampled_from(["stale", "hidden", "fails"]),
    envelope=st.sampled_from(["items", "data"]),
)
happening = st.tuples(st.sampled_from(sorted(HAPPENINGS)), st.integers(0, 60))
during: st.SearchStrategy[dict[int, tuple[str, int]]] = st.one_of(
    st.just({}), st.dictionaries(st.integers(1, 8), happening, max_size=3)
)
trouble = st.one_of(
    st.just(Trouble()),
    st.just(Trouble()),
    st.builds(Trouble, fails=st.integers(1, 9)),
    st.builds(Trouble, refused=st.tuples(st.integers(2, 6))),
    st.builds(Trouble, refused=st.tuples(st.integers(2, 4), st.integers(4, 8))),
)
SCOPES = ("LINKEDIN", "everything", "since", "unread")


@dataclass(frozen=True)
class Ran:
    """What is looked at of a walk."""

    account_id: str | None
    full: bool
    to_the_end: bool
    failed: bool


class Follows(RuleBasedStateMachine):
    """A world, runs that follow it, and after each run the comparison.

    A subclass says how a run happens and what the table holds.
    """

    chats = st.sampled_from([0, 3, 24, 24, 45])

    def __init__(self) -> None:
        super().__init__()
        self.logger = logging.getLogger("postpress_source")
        self.logger.disabled = True
        self.views: dict[tuple[str, str | None], View] = {}
        # deleted chats whose rows may still be there, and after how many full walks not any more
        self.gone: dict[str, int] = {}
        self.touched: list[Happened] = []
        self.skips = 0
        self.some_due = False
        self.trouble = Trouble()

    def teardown(self) -> None:
        self.logger.disabled = False

    # --- for subclasses --------------------------------------------------------------------------

    def open_warehouse(self, limit: int) -> None:
        """Begin with an empty one."""
        raise NotImplementedError

    def begins_at(self) -> datetime:
        """The first time on the world's clock."""
        return START

    def load(self, order: Order) -> Sequence[Ran]:
        """One run; returns its walks, or raises what it raises."""
        raise NotImplementedError

    def shape(self, row: Row) -> Row:
        """A row as the table can hold it."""
        return row

    def table(self) -> dict[str, Row]:
        """The table, by chat id."""
        raise NotImplementedError

    # --- the history -----------------------------------------------------------------------------

    @initialize(
        data=st.data(),
        options=options,
        accounts=st.integers(1, 3),
        limit=st.sampled_from([2, 3, 5, 9]),
        walked=st.sampled_from([True] * 3 + [False]),
        step=st.sampled_from([timedelta(minutes=7), timedelta(hours=2)]),
    )
    def begin(
        self,
        data: Any,
        options: WorldOptions,
        accounts: int,
        limit: int,
        walked: bool,
        step: timedelta,
    ) -> None:
        self.start = self.begins_at()
        self.world = World(options, now=self.start)
        self.happenings = Happenings(self.world)
        chats = data.draw(self.chats)
        self.happenings.populate(accounts, chats, step)
        note(f"{options}\n{accounts} accounts, {chats} chats {step} apart, {limit} a page")
        self.open_warehouse(limit)
        if walked:
            self.runs([], "everything", False, LONG, {}, Trouble())

    @rule(what=happening)
    def happens(self, what: tuple[str, int]) -> None:
        happened = self.happenings.happen(*what)
        if happened:
            note(happened.told)
            for view in self.views.values():
                view.note(happened)
            self.note_the_dead(happened)

    @rule(hours=st.sampled_from([1, 5, 23]))
    def time_passes(self, hours: int) -> None:
        note(f"{hours} h pass")
        self.world.advance(timedelta(hours=hours), activity=0)

    @rule(pick=st.integers(0, 9), traceless=st.booleans())
    def account_leaves(self, pick: int, traceless: bool) -> None:
        account = self.happenings.account(pick)
        note(f"{account} {'vanishes' if traceless else 'is disconnected'}")
        self.world.disconnect_account(account, None if traceless else "errors/disconnected_account")

    @precondition(lambda self: self.away())
    @rule()
    def accounts_come_back(self) -> None:
        note(f"{', '.join(sorted(self.away()))} back")
        for account in self.away():
            self.world.heal_account(account)

    @rule(
        first=st.lists(happening, max_size=3),
        scope=st.sampled_from(["everything"] * 12 + [*SCOPES]),
        by_account=st.sampled_from([False] * 4 + [True]),
        full_walk_every=st.sampled_from([LONG] * 4 + [DAY, timedelta(0)]),
        during=during,
        trouble=trouble,
    )
    def runs(
        self,
        first: list[tuple[str, int]],
        scope: str,
        by_account: bool,
        full_walk_every: timedelta,
        during: dict[int, tuple[str, int]],
        trouble: Trouble,
    ) -> None:
        for what in first:
            self.happens(what)
        accounts = tuple(self.world.accounts) if by_account else ()
        order = Order(
            accounts, full_walk_every=full_walk_every, trouble=trouble, **self.narrowed(scope)
        )
        units: tuple[str | None, ...] = accounts or (None,)
        views = [self.view(scope, unit) for unit in units]
        note(
            f"run: {scope}{' by account' if accounts else ''}, full walk every {full_walk_every}"
            + (f", {trouble}" if trouble != Trouble() else "")
        )
        due = {v.account for v in views if v.is_due(self.world.now, full_walk_every)}
        self.some_due = bool(due)
        before, began, away = self.table(), self.world.now, self.away()
        walks = self.load_while(order, during, views)
        if walks is None:
            assert self.table() == before, "a run that failed changed the table"
        else:
            self.compare(views, walks, due, before, began, away)
        for happened in self.touched:
            for view in self.views.values():
                view.note(happened)
            self.note_the_dead(happened)

    def narrowed(self, scope: str) -> dict[str, Any]:
        """The arguments that a scope stands for."""
        since = self.start - timedelta(hours=30)
        arguments: dict[str, dict[str, Any]] = {
            "LINKEDIN": {"account_type": "LINKEDIN"},
            "since": {"start": since},
            "unread": {"unread": True},
        }
        return arguments.get(scope, {})

    def note_the_dead(self, happened: Happened) -> None:
        """Two full walks at most have to miss a chat before its row goes, of each kind of unit."""
        self.gone |= {chat: 4 for chat in happened.chats if chat not in self.world}

    # --- how ------------------------------------------------------------------------------------

    def away(self) -> set[str]:
        """Accounts that are sick, or vanished."""
        accounts = self.world.accounts.values()
        return {a.id for a in accounts if a.status != "OK" or not a.connected}

    def view(self, scope: str, account: str | None) -> View:
        new = View(Order(**self.narrowed(scope)), account)
        new.open = dict.fromkeys([*self.world.chat_ids, *self.gone], Right.FULL)
        alike = self.views.get(("everything" if scope == "since" else "since", account))
        if alike and scope in ("everything", "since"):
            new.walked = alike.walked
        return self.views.setdefault((scope, account), new)

    def load_while(
        self, order: Order, during: dict[int, tuple[str, int]], views: list[View]
    ) -> Sequence[Ran] | None:
        """A run with things happening before its n-th pages; None if it failed, as it had to."""
        pages, told, self.touched, self.skips = 0, list[str](), [], 0
        failing, self.trouble = self.must_fail(order), order.trouble

        def before_page(world: World) -> None:
            nonlocal pages
            pages += 1
            if pages in during:
                places = [self.places(view) for view in views]
                happened = self.happenings.happen(*during[pages])
                if happened:
                    told.append(f"  before page {pages} {happened.told}")
                    self.touched.append(happened)
                    self.skips += self.moved_up(places, views, happened)

        self.world.before_page = before_page
        try:
            walks = self.load(order)
        except PostpressError as error:
            note(f"  failed: {error.summary}")
            troubled = order.trouble.fails or len(order.trouble.refused) > 1
            if not troubled and not (failing and isinstance(error, PostpressAccountError)):
                raise
            return None
        finally:
            self.world.before_page = None
            for line in told:  # the walks may have run in other threads
                note(line)
        assert not failing
        return walks

    def must_fail(self, order: Order) -> bool:
        sick = [a for a in self.world.accounts.values() if a.status != "OK" and a.connected]
        if order.account_ids:
            return len(sick) == len(order.account_ids)
        wanted = [a for a in sick if order.account_type in (None, a.type)]
        return bool(wanted) and self.world.options.sick_in_list == "fails"

    def places(self, view: View) -> dict[str, int]:
        """Where each chat stands in what an offset counts."""
        if self.world.options.short_pages:
            chats = self.world.relist(account_id=view.account)
        else:
            order = view.order
            chats = self.world.relist(
                account_id=view.account, account_type=order.account_type, unread=order.unread
            )
        return {chat["id"]: place for place, chat in enumerate(chats)}

    def moved_up(self, before: list[dict[str, int]], views: list[View], happened: Happened) -> int:
        """How many chats an offset may skip by what happened."""
        if self.world.options.cursor == "keyset":
            return 0
        for places, view in zip(before, views, strict=True):
            after = self.places(view)
            if any(
                after[c] < places[c] for c in after.keys() & places.keys() - happened.chats.keys()
            ):
                return 1
        return 0

    # --- the comparison --------------------------------------------------------------------------

    def compare(
        self,
        views: list[View],
        walks: Sequence[Ran],
        due: set[str | None],
        before: dict[str, Row],
        began: datetime,
        away: set[str],
    ) -> None:
        failed = {str(walk.account_id) for walk in walks if walk.failed and walk.account_id}
        hidden = self.hidden(views) | failed
        touched = {chat for happened in self.touched for chat in happened.chats}
        rows = self.table()
        for view in views:
            mine = next(walk for walk in walks if walk.account_id == view.account)
            beside = [w for w in walks if view.account is None and w.account_id and not w.failed]
            note(
                f"  {view.account or 'all'}: {'failed' if mine.failed else 'read'}"
                f"{' to the end' if mine.to_the_end else ''}"
            )
            self.settle(
                view, mine, {str(w.account_id) for w in beside}, due, began, touched, hidden, rows
            )
        wrong: dict[str, str] = {}
        for view in views:
            wrong |= {
                c: w
                for c, w in differences(view, self.world, rows, hidden, self.shape).items()
                if c not in touched
            }
        assert len(wrong) <= self.skips, wrong
        self.look_for_the_dead(rows)
        self.look_for_the_lost(before, rows, touched | wrong.keys())
        to_the_end = any(walk.to_the_end for walk in walks)
        if self.skips:
            for view in self.views.values():
                view.postpone(self.world.chat_ids if to_the_end else None)

    def hidden(self, views: list[View]) -> set[str]:
        """Accounts away that the list of these views doesn't show."""
        accounts = [a for a in self.world.accounts.values() if a.id in self.away()]
        stale = views[0].account is None and self.world.options.sick_in_list == "stale"
        return {a.id for a in accounts if not a.connected or not stale}

    def settle(
        self,
        view: View,
        walk: Ran,
        beside: set[str],
        due: set[str | None],
        began: datetime,
        touched: set[str],
        hidden: set[str],
        rows: dict[str, Row],
    ) -> None:
        if walk.failed:
            assert view.account in hidden or self.trouble != Trouble()
            view.walked.at = None
            return
        assert walk.to_the_end or view.account not in due, "a full walk was due"
        if walk.full:
            view.walked_fully(began)
        if view.account in hidden:
            view.walked.at = None
        away_chats = [c["id"] for a in hidden for c in self.world.relist(account_id=a)]
        away_chats += [c for c in self.world.chat_ids if self.world.chat(c)["account_id"] in hidden]
        kept = set(away_chats)
        seen_now = {c for c, until in view.open.items() if until is Right.HEAD} - touched - kept
        view.postpone(kept & view.open.keys())
        if walk.to_the_end:
            self.settle_to_the_end(view, walk, touched | kept, hidden, rows)
        else:
            view.settle(Right.HEAD, touched | kept)
            listed = {c["id"]: c["account_id"] for c in view.listed(self.world)}
            beside |= (
                {listed[c] for c in seen_now if c in listed} - view.walked.accounts - self.away()
            )
            for account in beside if view.account is None else ():
                view.settle_account(self.world, account)
        if self.skips:
            view.postpone()

    def settle_to_the_end(
        self, view: View, walk: Ran, kept: set[str], hidden: set[str], rows: dict[str, Row]
    ) -> None:
        listed = view.listed(self.world)
        view.settle(Right.FULL, kept)
        view.walked.accounts = {c["account_id"] for c in listed} - hidden
        view.trusted_wrongly = (
            self.world.options.order != "newest_first" and view.looks_newest_first(self.world)
        )
        whole = view.order.unread is None and view.order.start is None
        if whole and walk.full and not self.touched:
            shown = {c["account_id"] for c in listed} - self.away()
            left = {c: row["account_id"] for c, row in rows.items() if c in self.gone}
            for chat, account in left.items():
                if account in shown and chat not in kept:
                    self.gone[chat] -= 1
            self.gone = {chat: walks for chat, walks in self.gone.items() if walks}

    def look_for_the_dead(self, rows: dict[str, Row]) -> None:
        """No row outlives its chat longer than promised, and none is made up."""
        dead = [c for c in rows if c not in self.world and c not in self.gone]
        touched = {chat for happened in self.touched for chat in happened.chats}
        assert not set(dead) - touched, f"deleted, but still there: {dead}"

    def look_for_the_lost(
        self, before: dict[str, Row], rows: dict[str, Row], excused: set[str]
    ) -> None:
        """No row goes whose chat is there."""
        lost = [c for c in before if c not in rows and c in self.world and c not in excused]
        assert len(lost) <= self.skips, f"lost: {lost}"
