"""One walk over real pages: the client fetches, `walk` decides, the spool keeps."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

import msgspec

from postpress_source.api.answers import Page
from postpress_source.api.client import CHATS_PATH, PostpressClient, Traffic
from postpress_source.arguments import Filters
from postpress_source.errors import (
    CursorRefusedError,
    PostpressAccountError,
    PostpressAuthError,
    PostpressContractError,
    PostpressError,
    documented_error,
)
from postpress_source.walks.gone import Verdict
from postpress_source.walks.plan import (
    MAX_EMPTY_PAGES,
    MAX_PAGES_WITHOUT_NEWS,
    Kind,
    Plan,
    Progress,
    kind_of,
    may_stop,
    observe,
)
from postpress_source.walks.spool import SeenIds, Spool
from postpress_source.walks.watermark import Memory

logger = logging.getLogger("postpress_source")

_BATCH_CHATS: Final = 2_000
_BATCH_BYTES: Final = 4 * 2**20
NOTHING_LISTED: Final = "No chat is listed: check the account's id, and that it is connected."
DOUBTFUL: Final = (
    "What was asked for is loaded, nothing is deleted, and the next walk is a full one; if this "
    "persists, report it to PostPress."
)
_MAX_UNANSWERED: Final = 8
"""Accounts that fail while nobody has answered yet; then it is asked whether it is the accounts."""

OnPage = Callable[[int], None]
"""Told of each page read, with its number of chats; called from the walk's thread."""


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
        top: The newest timestamp on it, never later than the walk's start.
        newer: How many chats were newer than the plan's watermark.
        accounts: Accounts seen on them, each with its number of chats, repeated ones counted again.
        unasked: Chats that came though a filter, by its name, left them out; they don't land.
        repeats: Pages that brought only chats of earlier ones: what they stand for is unknown.
        to_the_end: Whether the whole list was read.
        head: Digest of the pages that the next head walk would read, and of whether they are all.
        unchanged: A head walk, and everything it read is, to the letter, what the last run landed.
        rows_lost: The table lacks rows that it had.
        verdicts: What was found missing, by account; empty if nothing was looked for.
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
    newer: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    unasked: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    to_the_end: bool = False
    head: str = ""
    unchanged: bool = False
    rows_lost: bool = False
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    sick: set[str] = field(default_factory=set)
    error: PostpressError | None = None

    @property
    def kind(self) -> Kind:
        """What it turned out to be."""
        return kind_of(self.plan, self.progress)

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


class Reader:
    """Runs walks against one client into one spool. Threads may share it.

    Args:
        client: Where pages come from.
        spool: Where chats go.
        on_page: Told of each page read.
    """

    def __init__(
        self, client: PostpressClient, spool: Spool, on_page: OnPage = lambda chats: None
    ) -> None:
        self._client = client
        self._spool = spool
        self._on_page = on_page
        self._numbers = itertools.count()
        self._failures = 0

    def run(self, walk: Walk) -> Walk:
        """Read a walk's pages into the spool; fill in what it saw.

        A walk of one account that fails for good is that account's own trouble: it leaves
        `walk.error` and no chats. A refused cursor and a page that repeats others restart it.

        Raises:
            PostpressError: The run can't go on.
        """
        try:
            self._read_restarting(walk)
        except PostpressError as error:
            self._spool.drop(walk.number)
            if not self._is_the_accounts_own(error, walk):
                raise
            walk.error = error
            logger.warning("Account %s is skipped. %s", walk.account_id, error)
        if walk.doubt and not walk.error:
            of = f"account {walk.account_id}" if walk.account_id else "all visible accounts"
            logger.warning("The walk of %s isn't complete. %s %s", of, walk.doubt, DOUBTFUL)
        if walk.account_id and not walk.chats and not walk.error:
            logger.warning("Account %s: %s", walk.account_id, NOTHING_LISTED)
        walk.finished_at = datetime.now(UTC)
        return walk

    def _is_the_accounts_own(self, error: PostpressError, walk: Walk) -> bool:
        """Whether others can be read all the same, as far as anyone can tell.

        What is documented to be about the key is. A key that is refused without a word, or a dead
        API, looks like an account's trouble; it isn't taken for that while nobody has answered.
        """
        if walk.account_id is None:
            if isinstance(error, PostpressAccountError):
                error.next_step += " Or name the other accounts in account_id, to go on without."
                error.args = (str(error),)
            return False
        self._failures += 1
        if isinstance(error, PostpressAuthError) and documented_error(error.error_type):
            return False
        if self._client.answered or isinstance(error, PostpressAccountError):
            return True
        if isinstance(error, PostpressAuthError) or self._failures >= _MAX_UNANSWERED:
            return not self._is_met_everywhere(error)
        return True

    def _is_met_everywhere(self, error: PostpressError) -> bool:
        """Whether a request that names no account ends the same way."""
        try:
            self._client.get_page({"limit": "1"}, None, page=1, traffic=Traffic())
        except PostpressError as other:
            return type(other) is type(error)
        return False

    def _read_restarting(self, walk: Walk) -> None:
        """Read the walk's pages; from page one again, once, if they were refused or no progress."""
        try:
            self._read(walk)
        except CursorRefusedError as error:
            why = str(error)
        else:
            why = walk.doubt if walk.repeats else ""
        if why:
            logger.warning("The walk starts again from page one. %s", why)
            self._read(walk)

    def _read(self, walk: Walk) -> None:
        self._spool.drop(walk.number)
        walk.number = next(self._numbers)
        walk.progress, walk.pages, walk.chats = Progress(), 0, 0
        walk.accounts, walk.unasked, walk.newer, walk.repeats = Counter(), Counter(), 0, 0
        self._read_pages(walk)

    def _read_pages(self, walk: Walk) -> None:
        seen, digest = SeenIds(), blake2b(digest_size=6)
        pending: list[Page] = []
        digested = in_a_row = 0
        page_cursor: str | None = None
        query = walk.filters.query(walk.account_id)
        while True:
            page = self._client.get_page(
                query, page_cursor, page=walk.pages + 1, traffic=walk.traffic
            )
            if not walk.progress.below_head:
                digest.update(page.text or msgspec.json.encode(page.chats))
                digest.update(b"" if page.page_cursor else b"end")
                digested += 1
            timestamps = self._take(walk, page)
            ids = [chat.id for chat in page.chats]
            if ids:
                old = len(seen.add(ids)) == len(ids) and self._has_all(walk, ids, pending)
                in_a_row = in_a_row + 1 if old else 0
                walk.repeats += old
            pending.append(_asked_for(walk, page))
            if _is_batch(pending):
                self._spool.add(walk.number, pending)
                pending = []
            page_cursor = page.page_cursor
            if page_cursor is None or may_stop(walk.plan, walk.progress, timestamps):
                break
            _refuse_endless(walk, in_a_row)
        walk.to_the_end = page_cursor is None
        walk.head = digest.hexdigest()
        remembered = walk.memory.head if walk.memory else ""
        # A full walk has to land what it read, changed or not: what isn't in it is gone.
        head_walk = walk.kind is Kind.HEAD and walk.complete
        walk.unchanged = head_walk and digested == walk.pages and walk.head == remembered
        self._spool.add(walk.number, pending)

    def _take(self, walk: Walk, page: Page) -> Sequence[datetime | None]:
        """Count a page and observe it; returns its timestamps."""
        timestamps = [chat.timestamp for chat in page.chats]
        walk.pages += 1
        walk.chats += len(page.chats)
        walk.accounts.update([chat.account_id for chat in page.chats if chat.account_id])
        walk.progress = observe(walk.progress, timestamps, walk.plan, walk.started_at)
        if walk.pages == 1:
            walk.first_page, newest = walk.chats, walk.progress.newest
            walk.top = min(newest, walk.started_at) if newest else None
        if (known := walk.plan.watermark) is not None:
            walk.newer += sum(at > known for at in timestamps if at is not None)
        self._on_page(len(page.chats))
        return timestamps

    def _has_all(self, walk: Walk, ids: Sequence[str], pending: Sequence[Page]) -> bool:
        """Whether the walk has met every one of these chats before."""
        waiting = {chat.id for page in pending for chat in page.chats}
        others = set(ids) - waiting
        return not others or others <= self._spool.find(walk.number, others)


def _asked_for(walk: Walk, page: Page) -> Page:
    """The page without the chats that weren't asked for, which are counted."""
    if (walk.account_id, walk.filters.account_type, walk.filters.unread) == (None, None, None):
        return page
    unheeded = [walk.filters.unheeded(walk.account_id, chat) for chat in page.chats]
    walk.unasked.update([name for name in unheeded if name])
    if not any(unheeded):
        return page
    return page.only({c.id for c, name in zip(page.chats, unheeded, strict=True) if not name})


def _is_batch(pages: Sequence[Page]) -> bool:
    """Whether there is enough to convert at once, in chats or in bytes."""
    chats = sum(len(page.chats) for page in pages)
    return chats >= _BATCH_CHATS or sum(len(page.text or b"") for page in pages) >= _BATCH_BYTES


def _refuse_endless(walk: Walk, repeats_in_a_row: int) -> None:
    for pages, most, what in (
        (repeats_in_a_row, MAX_PAGES_WITHOUT_NEWS, "brought no new chat"),
        (walk.progress.empty_pages, MAX_EMPTY_PAGES, "were empty"),
    ):
        if pages >= most:
            summary = f"{most} pages in a row {what}, and no end"
            raise _at(walk, PostpressContractError(summary))


def _at(walk: Walk, error: PostpressError) -> PostpressError:
    """The error, with the place where a walk met it."""
    of_account = f", account {walk.account_id}" if walk.account_id else ""
    error.where = f"GET {CHATS_PATH}, page {walk.pages}{of_account}"
    error.account_id = walk.account_id
    error.args = (str(error),)
    return error
