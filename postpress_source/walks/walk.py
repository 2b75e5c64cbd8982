"""A walk: what it was to do, and what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from postpress_source.api.client import Traffic
from postpress_source.arguments import Filters
from postpress_source.errors import PostpressError
from postpress_source.walks.gone import Verdict
from postpress_source.walks.plan import Kind, Plan, Progress, kind_of
from postpress_source.walks.watermark import Memory

NOTHING_LISTED: Final = "No chat is listed: check the account's id, and that it is connected."
DOUBTFUL: Final = (
    "What was asked for is loaded, nothing is deleted, and the next walk is a full one; if this "
    "persists, report it to PostPress."
)


@dataclass(slots=True)
class Walk:
    """A walk: what it was to do, what it did, and, if its account couldn't be read, why.

    Attributes:
        account_id: The account it is about, None for all visible ones.
        filters: What it asks for besides.
        memory: What was remembered before it.
        number: Its place in the spool.
        pages: Pages read, those of a restarted attempt not counted.
        chats: Chats on those pages, repeated ones counted again.
        first_page: How many of them the first page had.
        top: The newest timestamp on it.
        accounts: Accounts seen on them, each with its number of chats, repeated ones counted again.
        unasked: Chats that came though a filter, by its name, left them out; they don't land.
        left_out: The ids of those, up to `MOST_LEFT_OUT`: they are listed somewhere, so not gone.
        repeats: Pages that brought only chats of earlier ones: what they stand for is unknown.
        to_the_end: Whether the whole list was read.
        unchanged: It is complete, and nothing that it read was new to the table.
        verdicts: What was found missing, by account; empty if nothing was looked for.
        saw: By account that it read whole, whether it listed each chat that the table had of it,
            but for those that are gone; empty if the table couldn't be asked.
        saw_down_to: Of a head walk: each chat of the table's that was last active after it was
            listed; None if that isn't known.
        ground: Of a head walk that swept: where it met known ground, and might have ended.
        at_known_ground: Asked there whether it reads on; None: it doesn't.
        owing: Accounts that a sweep calls for full walks of, beside it.
        saw_unread_down_to: Of a sweep: each chat that the table had as unread, and that was last
            active after it, was listed in the run; None if that isn't known.
        sick: Accounts that it listed and that couldn't be read when they were looked at again.
        error: Why the account was skipped, None if it wasn't.
    """

    account_id: str | None
    filters: Filters
    plan: Plan
    memory: Memory | None
    started_at: datetime
    finished_at: datetime | None = None
    number: int = -1
    progress: Progress = field(default_factory=Progress)
    traffic: Traffic = field(default_factory=Traffic)
    pages: int = 0
    chats: int = 0
    first_page: int = 0
    top: datetime | None = None
    accounts: Counter[str] = field(default_factory=Counter)
    unasked: Counter[str] = field(default_factory=Counter)
    left_out: set[str] = field(default_factory=set)
    repeats: int = 0
    to_the_end: bool = False
    unchanged: bool = False
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    saw: dict[str, bool] = field(default_factory=dict)
    saw_down_to: datetime | None = None
    ground: datetime | None = None
    at_known_ground: Callable[[], bool] | None = None
    owing: tuple[str, ...] = ()
    saw_unread_down_to: datetime | None = None
    sick: set[str] = field(default_factory=set)
    error: PostpressError | None = None

    @property
    def kind(self) -> Kind:
        """What it turned out to be."""
        return kind_of(self.plan, self.progress)

    @property
    def asks_for_all(self) -> bool:
        """Whether no filter and no start date leaves a chat of its accounts out."""
        narrowed = self.filters.scope() or self.plan.since or self.plan.kind is Kind.BACKFILL
        return not narrowed

    @property
    def is_head(self) -> bool:
        """Whether it read an end of the list that is newest first, of all chats there are in it."""
        narrowed = not self.filters.lists_whole_accounts or self.filters.account_type
        stopped = self.kind is Kind.HEAD and not self.to_the_end
        return stopped and self.complete and not narrowed

    @property
    def before(self) -> Memory:
        """What was remembered before it; nothing if nothing was."""
        return self.memory or Memory()

    @property
    def complete(self) -> bool:
        """Whether it is known that it read all that it had to."""
        return self.error is None and not self.doubt

    @property
    def doubt(self) -> str:
        """Why it can't be known that all was read that had to be; no values. Empty: it can."""
        doubts = []
        if self.unasked:
            filters = ", ".join(sorted(self.unasked))
            count = sum(self.unasked.values())
            doubts.append(
                f"{count:,} of {self.chats:,} chats listed aren't what was asked for by {filters}; "
                "they were left out."
            )
        if self.repeats:
            doubts.append(f"{self.repeats} of {self.pages:,} pages brought only chats of others.")
        return " ".join(doubts)

    @property
    def whole(self) -> frozenset[str]:
        """Accounts that it listed some of, and of which it listed all that there is.

        Not what a filter leaves out, and not under `account_type` those of another type.
        """
        full = self.kind is Kind.FULL and self.to_the_end and self.complete
        whole = full and self.filters.lists_whole_accounts and self.plan.since is None
        return frozenset(self.accounts) if whole else frozenset()


def all_failed(errors: Sequence[PostpressError]) -> PostpressError:
    """The error of a run in which no account could be read: the only one, or one for all."""
    first = errors[0]
    if len(errors) > 1:
        each = "; ".join(f"{e.account_id}: {e.error_type or e.status or e.summary}" for e in errors)
        first.summary = f"None of the {len(errors)} accounts could be read ({each})"
        first.args = (str(first),)
    return first
