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
    PostpressContractError,
)
from postpress_source.walks.plan import (
    MAX_EMPTY_PAGES,
    MAX_PAGES_WITHOUT_NEWS,
    Kind,
    Plan,
    Progress,
    kind_of,
    may_stop,
    observe,
    plan_second_look,
)
from postpress_source.walks.spool import SeenIds, Spool
from postpress_source.walks.watermark import Memory

logger = logging.getLogger("postpress_source")

_BATCH_CHATS: Final = 2_000
_BATCH_BYTES: Final = 4 * 2**20

OnPage = Callable[[int], None]
"""Told of each page read, with its number of chats; called from the walk's thread."""


@dataclass(slots=True)
class Walk:
    """A walk: what it was to do, what it did, and, if its account couldn't be read, why.

    Attributes:
        account_id: The account it is about, None for all visible ones.
        memory: What was remembered before it.
        numbers: Its places in the spool: of its pages, and of those it looked at again.
        pages: Pages read, those of a restarted attempt not counted.
        chats: Chats on those pages, repeated ones counted again.
        accounts: Accounts seen on them, each with its number of chats, repeated ones counted again.
        unsure: Those of them that may have been disconnected while they were read.
        whole: Those of them whose every chat was handed over: what else a table has is gone.
        to_the_end: Whether the whole list was read.
        head: Digest of the pages that the next head walk would read, and of whether they are all.
        unchanged: A head walk, and everything it read is, to the letter, what the last run landed.
        error: Why the account was skipped, None if it wasn't.
    """

    account_id: str | None
    plan: Plan
    memory: Memory | None
    started_at: datetime
    finished_at: datetime | None = None
    numbers: set[int] = field(default_factory=set)
    progress: Progress = field(default_factory=Progress)
    traffic: Traffic = field(default_factory=Traffic)
    pages: int = 0
    chats: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    unsure: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    to_the_end: bool = False
    head: str = ""
    unchanged: bool = False
    error: PostpressAccountError | None = None


@dataclass(slots=True)
class CycleDetector:
    """Notices a repeated or circling cursor within a few pages, remembering one (Brent's)."""

    kept: str = ""
    steps: int = 0
    power: int = 1

    def repeats(self, page_cursor: str) -> bool:
        """Whether this cursor has come before; call it with each cursor in turn."""
        if page_cursor == self.kept:
            return True
        self.steps += 1
        if self.steps == self.power:
            self.kept, self.steps, self.power = page_cursor, 0, self.power * 2
        return False


class Reader:
    """Runs walks against one client into one spool. Threads may share it.

    Args:
        client: Where pages come from.
        spool: Where chats go.
        filters: What to ask for.
        on_page: Told of each page read.
        table_exists: Whether there is anything yet that a full walk could find gone.
    """

    def __init__(
        self,
        client: PostpressClient,
        spool: Spool,
        filters: Filters,
        on_page: OnPage = lambda chats: None,
        *,
        table_exists: bool = True,
    ) -> None:
        self._client = client
        self._spool = spool
        self._filters = filters
        self._on_page = on_page
        self._table_exists = table_exists
        self._numbers = itertools.count()

    def run(self, walk: Walk) -> Walk:
        """Read a walk's pages into the spool; fill in what it saw.

        An account that can't be read leaves `walk.error` and no chats. A refused cursor restarts
        the walk once.

        Raises:
            PostpressError: The run can't go on.
        """
        try:
            self._read_restarting_once(walk)
            if self._may_have_missed_some(walk):
                self._look_again(walk)
        except PostpressAccountError as error:
            self._drop(walk)
            if walk.account_id is None:
                error.next_step += " Or name the other accounts in account_id, to go on without."
                error.args = (str(error),)
                raise
            walk.error = error
            logger.warning("Account %s is skipped. %s", walk.account_id, error)
        walk.finished_at = datetime.now(UTC)
        return walk

    def is_well(self, account_id: str, walk: Walk) -> bool:
        """Whether an account answers for itself, with a chat; one request, counted to the walk."""
        query = self._filters.query(account_id) | {"limit": "1"}
        try:
            page = self._client.get_page(query, None, page=1, traffic=walk.traffic)
        except PostpressAccountError as error:
            logger.warning("Account %s was disconnected while it was read. %s", account_id, error)
            return False
        return bool(page.sightings)

    def _read_restarting_once(self, walk: Walk) -> None:
        try:
            return self._read(walk)
        except CursorRefusedError as error:
            logger.warning("The walk starts again from page one. %s", error)
        return self._read(walk)

    def _read(self, walk: Walk) -> None:
        self._drop(walk)
        number = next(self._numbers)
        walk.numbers = {number}
        self._read_pages(walk, number)
        if walk.unchanged:
            self._drop(walk)

    def _drop(self, walk: Walk) -> None:
        for number in walk.numbers:
            self._spool.drop(number)

    def _may_have_missed_some(self, walk: Walk) -> bool:
        """Whether what this walk didn't list will be taken for gone, though it read page by page.

        A single page is one moment: nothing moves in it.
        """
        full = kind_of(walk.plan, walk.progress) is Kind.FULL and walk.to_the_end
        deletes = full and self._table_exists and self._filters.lists_whole_accounts
        return deletes and walk.pages > 1 and not walk.unchanged

    def _look_again(self, walk: Walk) -> None:
        """Read what moved to the top of the list while the walk went down it."""
        plan = plan_second_look(walk.plan, walk.progress, walk.started_at)
        again = Walk(walk.account_id, plan, None, walk.started_at, traffic=walk.traffic)
        try:
            self._read_restarting_once(again)
        finally:
            walk.numbers = {*walk.numbers, *again.numbers}
        walk.pages, walk.chats = walk.pages + again.pages, walk.chats + again.chats
        walk.accounts |= again.accounts
        # Two sights of the list landed; that the table is as one of them is known if they agree.
        walk.head = again.head if again.head == walk.head else ""

    def _read_pages(self, walk: Walk, number: int) -> None:
        walk.progress, walk.pages, walk.chats = Progress(), 0, 0
        walk.accounts = Counter()
        seen, cycle, digest = SeenIds(), CycleDetector(), blake2b(digest_size=6)
        pending: list[Page] = []
        digested = 0
        page_cursor: str | None = None
        query = self._filters.query(walk.account_id)
        while True:
            page = self._client.get_page(
                query, page_cursor, page=walk.pages + 1, traffic=walk.traffic
            )
            if not walk.progress.below_head:
                digest.update(page.text or msgspec.json.encode(page.sightings))
                digest.update(b"" if page.page_cursor else b"end")
                digested += 1
            timestamps = self._take(walk, page, seen)
            pending.append(page)
            if _is_batch(pending):
                self._spool.add(number, pending)
                pending = []
            page_cursor = page.page_cursor
            if page_cursor is None or may_stop(walk.plan, walk.progress, timestamps):
                break
            _refuse_endless(walk, cycle, page_cursor)
        walk.to_the_end = page_cursor is None
        walk.head = digest.hexdigest()
        remembered = walk.memory.head if walk.memory else ""
        # A full walk has to land what it read, changed or not: what isn't in it is gone.
        head_walk = kind_of(walk.plan, walk.progress) is Kind.HEAD
        walk.unchanged = head_walk and digested == walk.pages and walk.head == remembered
        self._spool.add(number, pending)

    def _take(self, walk: Walk, page: Page, seen: SeenIds) -> Sequence[datetime | None]:
        """Count a page and observe it; returns its timestamps."""
        timestamps = [sighting.timestamp for sighting in page.sightings]
        known = seen.add([sighting.id for sighting in page.sightings])
        walk.pages += 1
        walk.chats += len(page.sightings)
        walk.accounts.update([chat.account_id for chat in page.sightings if chat.account_id])
        news = len(known) < len(page.sightings)
        walk.progress = observe(walk.progress, timestamps, walk.plan, walk.started_at, news=news)
        self._on_page(len(page.sightings))
        return timestamps


def _is_batch(pages: Sequence[Page]) -> bool:
    """Whether there is enough to convert at once, in chats or in bytes."""
    chats = sum(len(page.sightings) for page in pages)
    return chats >= _BATCH_CHATS or sum(len(page.text or b"") for page in pages) >= _BATCH_BYTES


def _refuse_endless(walk: Walk, cycle: CycleDetector, page_cursor: str) -> None:
    summary = ""
    if cycle.repeats(page_cursor):
        summary = "The API gave a cursor that it had given before"
    elif walk.progress.pages_without_news >= MAX_PAGES_WITHOUT_NEWS:
        summary = f"{MAX_PAGES_WITHOUT_NEWS} pages in a row brought no new chat, and no end"
    elif walk.progress.empty_pages >= MAX_EMPTY_PAGES:
        summary = f"{MAX_EMPTY_PAGES} pages in a row were empty, and no end"
    if summary:
        where = f"GET {CHATS_PATH}, page {walk.pages}"
        of_account = f", account {walk.account_id}" if walk.account_id else ""
        raise PostpressContractError(summary, where=where + of_account, account_id=walk.account_id)
