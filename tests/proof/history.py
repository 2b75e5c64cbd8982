"""A world, what happens to it, and the runs that follow it: told, run and judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Protocol

from postpress_source import PostpressError
from postpress_source.sandbox import World, WorldOptions
from tests.proof.judge import Judge, Look, Run, Walked, as_row
from tests.proof.listing import Order, Row
from tests.proof.readings import Drawn
from tests.proof.tales import Teller, WatchedWorld, order_of

Happening = tuple[str, int]


@dataclass(frozen=True)
class Step:
    """Something that happens, then a run, while which more happens: by the page before which."""

    order: str
    first: tuple[Happening, ...] = ()
    during: Mapping[int, Happening] = field(default_factory=dict)


class Follower(Protocol):
    """What follows the world: a warehouse or a pipeline."""

    def run(self, order: Order) -> Sequence[Walked]:
        """One run; raises what it raises."""

    def table(self) -> Mapping[str, Row]:
        """The table, by chat id."""


class History:
    """Tells one history to the end; each run is judged."""

    def __init__(
        self,
        options: WorldOptions,
        now: datetime,
        chats: int,
        follow: Callable[[WatchedWorld], Follower],
        say: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.world = WatchedWorld(options, now=now)
        self.world.populate(chats)
        self.teller = Teller(self.world)
        self.judge = Judge(self.world)
        self.follower = follow(self.world)
        self.say = say
        say(f"{options}")

    def tell(self, steps: Sequence[Step]) -> None:
        """All of it, and what becomes of it when the faults have stopped."""
        for step in steps:
            for happening in step.first:
                self.happen(*happening)
            self.run(order_of(step.order, self.world.now), step.during, step.order)
        self.end_well()

    def happen(self, name: str, pick: int) -> None:
        self.say(f"{name} ({pick})")
        self.teller.tell(name, pick)

    def run(self, order: Order, during: Mapping[int, Happening], name: str) -> Run:
        """One run, judged."""
        world = self.world
        world.forget()
        before = dict(self.follower.table())
        run = Run(order, [Look.at(world)], before, self.wanted(order))
        pages, told = 0, list[str]()

        def before_page(_: World) -> None:
            nonlocal pages
            pages += 1
            if pages in during:
                told.append(f"  before page {pages}: {during[pages]}")
                self.teller.tell(*during[pages])
                run.disturbed = True
                run.looks.append(Look.at(world))

        self.say(f"run: {name}")
        world.before_page = before_page
        try:
            run.walks = self.follower.run(order)
        except PostpressError as error:
            self.say(f"  failed: {error.summary}")
        finally:
            world.before_page = None
            for line in told:  # the walks may have run in other threads
                self.say(line)
        run.looks.append(Look.at(world))
        run.shown = {c: [as_row(chat) for chat in shown] for c, shown in world.shown.items()}
        run.pages = [(asked, [as_row(chat) for chat in chats]) for asked, chats in world.pages]
        run.after = dict(self.follower.table())
        for walk in run.walks or ():
            self.say(f"  {walk}")
        self.say(f"  gone: {sorted(run.before.keys() - run.after.keys())}")
        self.judge.judge(run)
        return run

    def wanted(self, order: Order) -> Mapping[str | None, list[Row]]:
        """By account, or of all, what the API lists that a run wants."""
        wanted = {}
        for account in (None, *self.world.accounts):
            chats = self.world.relist(
                account_id=account,
                account_type=order.account_type,
                unread=order.unread,
                before=order.before,
                after=order.after,
            )
            rows = [as_row(chat) for chat in chats]
            inside = Order(start=order.start, end=order.end)
            wanted[account] = [row for row in rows if _inside(inside, row)]
        return wanted

    def end_well(self) -> None:
        """I5, I6: the faults stop; after two full walks the table is right, and full ones rest."""
        options = self.world.options
        self.teller.heal()
        self.teller.end_guests()
        if options.repeats != "none":
            self.world.end_repeats()
        if options.ties == "unstable":  # that fault doesn't stop
            return
        for _ in range(2):
            run = self.run(order_of("full", self.world.now), {}, "full")
            assert run.walks, "I6: nothing disturbs it, and it fails"
        listed = {chat["id"]: as_row(chat) for chat in self.world.relist()}
        accounts = {row["account_id"] for row in listed.values()}
        rows = self.follower.table()
        right = {c: row for c, row in rows.items() if row["account_id"] in accounts}
        assert right == listed, "I6: still not right: " + ", ".join(wrong(right, listed))
        dated = any(row["timestamp"] for row in listed.values())  # else there's no watermark
        if options.order == "newest_first" and dated:
            run = self.run(order_of("head", self.world.now), {}, "head")
            kinds = [walk.kind for walk in run.walks or ()]
            assert kinds == ["head"], f"I6: a full walk, and none was due: {kinds}"


def _inside(window: Order, row: Row) -> bool:
    at = row["timestamp"]
    after_start = window.start is None or at is None or at >= window.start
    return after_start and (window.end is None or at is None or at < window.end)


def wrong(rows: Mapping[str, Row], listed: Mapping[str, Row]) -> list[str]:
    """The differences, in words."""
    said = [f"{c} is missing" for c in listed.keys() - rows.keys()]
    said += [f"{c} is still there" for c in rows.keys() - listed.keys()]
    said += [f"{c} is stale" for c in rows.keys() & listed.keys() if rows[c] != listed[c]]
    return sorted(said)


def steps_of(world: Drawn) -> list[Step]:
    """The history that a world of the corpus is told: happenings between runs and in mid-walk."""
    rng = Random(world.seed)
    left = [
        (name, rng.randrange(60)) for name in rng.sample(world.happenings, len(world.happenings))
    ]
    steps = [Step("full")]
    for order in rng.sample(world.orders, len(world.orders)):
        first, second = left[:2], left[2:3] if rng.random() < 0.5 else []
        left = left[len(first) + len(second) :] or left
        during = {rng.randrange(1, 12): happening for happening in second}
        steps.append(Step(order, tuple(first), during))
        if rng.random() < 0.5:
            steps.append(Step(rng.choice(("head", "full"))))
    return [*steps, *(Step("full", (happening,)) for happening in left)]
