"""One walk over real pages: the client fetches, `walk` decides, the spool keeps."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from postpress_source.api.answers import Page
from postpress_source.api.client import CHATS_PATH, PostpressClient, Traffic
from postpress_source.errors import (
    CursorRefusedError,
    PostpressAccountError,
    PostpressAuthError,
    PostpressContractError,
    PostpressError,
    PostpressRequestError,
    documented_error,
)
from postpress_source.walks.plan import (
    MAX_EMPTY_PAGES,
    MAX_PAGES_WITHOUT_NEWS,
    Kind,
    Progress,
    may_stop,
    observe,
)
from postpress_source.walks.spool import SeenIds, Spool
from postpress_source.walks.walk import DOUBTFUL, NOTHING_LISTED, Walk

logger = logging.getLogger("postpress_source")

_BATCH_CHATS: Final = 2_000
_BATCH_BYTES: Final = 4 * 2**20
MOST_LEFT_OUT: Final = 10_000
_MAX_UNANSWERED: Final = 8
"""Accounts that fail while nobody has answered yet; then it is asked whether it is the accounts."""

MOST_SWEEP_PAGES: Final = 8
"""An inbox that nobody reads has more; the oldest of them wait for the full walk."""

OnPage = Callable[[int], None]
"""Told of each page read, with its number of chats; called from the walk's thread."""


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

    def sweep(self, walk: Walk) -> Walk:
        """As `run`, of a walk that nothing rests on: whatever fails is its own trouble alone."""
        try:
            self._read_restarting(walk)
        except PostpressError as error:
            self._spool.drop(walk.number)
            walk.error = error
            logger.info("A sweep failed. %s", error)
        walk.finished_at = datetime.now(UTC)
        return walk

    def _is_the_accounts_own(self, error: PostpressError, walk: Walk) -> bool:
        """Whether others can be read all the same, as far as anyone can tell.

        A key that is refused, or a dead API, looks like an account's trouble, too: where it isn't
        known that others are answered, one request that names no account tells.
        """
        if walk.account_id is None:
            if isinstance(error, PostpressAccountError):
                error.next_step += " Or name the other accounts in account_id, to go on without."
                error.args = (str(error),)
            return False
        unreachable = isinstance(error, PostpressRequestError) and error.status is None
        if unreachable and not self._client.answered:
            return False  # no certificate, host or proxy is better for another account
        self._failures += 1
        of_key = isinstance(error, PostpressAuthError)
        if of_key and (documented_error(error.error_type) or not self._client.answered):
            return not self._is_met_everywhere(error)
        if self._client.answered or isinstance(error, PostpressAccountError):
            return True
        return self._failures < _MAX_UNANSWERED or not self._is_met_everywhere(error)

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
        walk.accounts, walk.unasked, walk.left_out = Counter(), Counter(), set()
        walk.repeats = 0
        self._read_pages(walk)

    def _read_pages(self, walk: Walk) -> None:
        seen, in_a_row = SeenIds(), 0
        pending: list[Page] = []
        page_cursor: str | None = None
        query = walk.filters.query(walk.account_id)
        while True:
            page = self._client.get_page(
                query, page_cursor, page=walk.pages + 1, traffic=walk.traffic
            )
            timestamps = self._take(walk, page)
            ids = [chat.id for chat in page.chats]
            if ids:
                # the bitmap may err, though hardly for many pages in a row
                old = len(seen.add(ids)) == len(ids)
                in_a_row = in_a_row + 1 if old else 0
                walk.repeats += old and self._has_all(walk, ids, pending)
            pending.append(_asked_for(walk, page))
            if _is_batch(pending):
                self._spool.add(walk.number, pending)
                pending = []
            page_cursor = page.page_cursor
            if page_cursor is None:
                break
            if _may_stop(walk, timestamps):
                self._spool.add(walk.number, pending)
                pending = []
                if walk.at_known_ground is None or not walk.at_known_ground():
                    break
            _refuse_endless(walk, in_a_row)
        walk.to_the_end = page_cursor is None
        self._spool.add(walk.number, pending)

    def _take(self, walk: Walk, page: Page) -> Sequence[datetime | None]:
        """Count a page and observe it; returns its timestamps."""
        timestamps = [chat.timestamp for chat in page.chats]
        walk.pages += 1
        walk.chats += len(page.chats)
        walk.accounts.update([chat.account_id for chat in page.chats if chat.account_id])
        walk.progress = observe(walk.progress, timestamps)
        if walk.pages == 1:
            walk.first_page, walk.top = walk.chats, walk.progress.newest
        self._on_page(len(page.chats))
        return timestamps

    def _has_all(self, walk: Walk, ids: Sequence[str], pending: Sequence[Page]) -> bool:
        """Whether the walk has met every one of these chats before."""
        waiting = {chat.id for page in pending for chat in page.chats}
        others = set(ids) - waiting
        return not others or others <= self._spool.find(walk.number, others)


def _may_stop(walk: Walk, timestamps: Sequence[datetime | None]) -> bool:
    """Whether a walk may end here. A sweep does once it goes too far, or isn't of unread chats."""
    if walk.plan.kind is Kind.SWEEP:
        return bool(walk.unasked) or walk.pages >= MOST_SWEEP_PAGES
    return may_stop(walk.plan, walk.progress, timestamps)


def _asked_for(walk: Walk, page: Page) -> Page:
    """The page without the chats that weren't asked for, which are counted."""
    if (walk.account_id, walk.filters.account_type, walk.filters.unread) == (None, None, None):
        return page
    unheeded = [walk.filters.unheeded(walk.account_id, chat) for chat in page.chats]
    walk.unasked.update([name for name in unheeded if name])
    if not any(unheeded):
        return page
    ids = {c.id for c, name in zip(page.chats, unheeded, strict=True) if name}
    if len(walk.left_out) < MOST_LEFT_OUT:
        walk.left_out |= ids
    return page.without(ids)


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
