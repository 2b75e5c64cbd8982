"""HTTP: one GET, retried within bounds.

urllib3 is used as it is, without requests on top: no redirect is followed, no `.netrc` is read, no
cookie is kept, and the key is a header of a request to the configured origin and nothing else.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from postpress_source.api.answers import Page, UnreadableError, decode_page
from postpress_source.api.environment import way_to
from postpress_source.api.pace import Budget, asked_wait
from postpress_source.api.refusals import Place, error_of
from postpress_source.api.transport import ApiKey, open_pool, read_body
from postpress_source.api.unanswered import explain
from postpress_source.errors import (
    CursorRefusedError,
    PostpressAccountError,
    PostpressError,
    PostpressUnavailableError,
)

logger = logging.getLogger("postpress_source")

CHATS_PATH: Final = "/chats"
VISIBLE_WAIT_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """Bounds of retrying, dlt's `RUNTIME__REQUEST_...` settings; seconds.

    Attributes:
        timeout: The longest that one attempt may take, its body included.
        max_attempts: Attempts a page, the first included.
        backoff_factor: The wait before attempt n is at most `factor * 2 ** (n - 2)`, jittered.
        max_delay: The longest wait between two attempts. If the API asks for a longer one, the run
            ends and says so.
    """

    timeout: float = 60.0
    max_attempts: int = 5
    backoff_factor: float = 1.0
    max_delay: float = 300.0


@dataclass(slots=True)
class Traffic:
    """What a walk cost: every attempt, those of them after a failure, and the seconds waited.

    Attributes:
        cursor_alone: The API took one of its cursors only without the filters.
    """

    requests: int = 0
    retries: int = 0
    waited_seconds: float = 0.0
    cursor_alone: bool = False

    def add(self, other: Traffic) -> None:
        """Count another's, too."""
        self.requests += other.requests
        self.retries += other.retries
        self.waited_seconds += other.waited_seconds


class Stopped(Exception):  # noqa: N818 - not an error: the run is being ended
    """The client was closed; raised in the threads that were still reading."""


class _PassingError(Exception):
    """An attempt failed in a way that may pass; `lasting` is raised if it doesn't."""

    def __init__(self, lasting: PostpressError, wait: tuple[float, str] | None = None) -> None:
        super().__init__(lasting.summary)
        self.lasting = lasting
        self.wait = wait


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class PostpressClient:
    """Reads pages of chats. Threads may share it; the key leaves it only as a request header.

    Attributes:
        answered: Whether a page has come: the key is good, and the API is up.
    """

    def __init__(
        self, base_url: str, api_key: str, retry: RetrySettings, connections: int = 8
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = ApiKey(api_key)
        self._retry = retry
        self._budget = Budget()
        self._closing = threading.Event()
        self._way = way_to(self._base_url)
        self._pool = open_pool(self._way, connections)
        self._origin = self._pool.connection_from_url(self._base_url)
        self.answered = False

    def close(self) -> None:
        """End waits and refuse further requests; walks in other threads raise `Stopped`."""
        self._closing.set()
        self._pool.clear()

    def get_page(
        self, query: Mapping[str, str], page_cursor: str | None, *, page: int, traffic: Traffic
    ) -> Page:
        """One page of `GET /chats`, after as many retries as make sense.

        Whether a cursor carries the filters isn't documented, so they go with every page. An API
        that refuses them beside a cursor, and takes the cursor alone, gets it alone from then on,
        in this walk.

        Args:
            query: The parameters of the walk's pages.
            page_cursor: The token that the previous page gave, None for the first page.
            page: Its number from 1, for messages.
            traffic: Counts the attempts and waits.

        Raises:
            CursorRefusedError: The API refused the cursor, alone, too.
            PostpressError: By who must act.
            Stopped: The client was closed meanwhile.
        """
        place = _place(query, page)
        if page_cursor is None:
            return self._get(query, place, traffic)
        alone = {"cursor": page_cursor}
        if not traffic.cursor_alone:
            try:
                return self._get({**query, **alone}, place, traffic)
            except CursorRefusedError:
                pass
        answer = self._get(alone, place, traffic)
        traffic.cursor_alone = True
        return answer

    def _get(self, query: Mapping[str, str], place: Place, traffic: Traffic) -> Page:
        url = f"{urlsplit(self._base_url).path}{CHATS_PATH}?{urlencode(query)}"
        retrying = Retrying(
            stop=stop_after_attempt(self._retry.max_attempts),
            wait=self._wait_seconds,
            retry=retry_if_exception_type(_PassingError),
            before_sleep=lambda state: self._say_wait(state, traffic, place),
            sleep=lambda seconds: self._sleep(seconds, traffic),
            reraise=True,
        )
        try:
            return retrying(self._attempt, url, place, traffic, "cursor" in query)
        except PostpressError as error:
            failed = error
        except _PassingError as passing:
            failed = passing.lasting
        # outside the handler: no foreign exception hangs on it, and no frame with a body in it
        raise self._redacted(failed).with_traceback(None)

    def _attempt(self, url: str, place: Place, traffic: Traffic, on_cursor: bool) -> Page:
        pause = self._budget.take_turn()
        try:
            self._sleep(pause, traffic)
            traffic.requests += 1
            answer = self._send(url, place)
        finally:
            self._budget.end_turn()
        self._heed_budget(answer.headers)
        if answer.status == 200:
            page = self._decode(answer.body, place)
            self.answered = True
            return page
        location = answer.headers.get("location", "")
        error = error_of(answer.status, answer.body, place, location=location)
        of_account = isinstance(error, PostpressAccountError)
        if on_cursor and not of_account and answer.status in (400, 404, 410, 422):
            raise CursorRefusedError.of(error)
        if answer.status in (408, 425, 429) or answer.status >= 500:
            wait = self._asked_wait(answer, place)
            if answer.status == 429 and wait:
                self._budget.refuse(wait[0])
            raise _PassingError(error, wait)
        raise error

    def _send(self, url: str, place: Place) -> _Answer:
        try:
            response = self._origin.urlopen(
                "GET",
                url,
                headers={
                    "X-API-KEY": self._api_key,
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip, deflate",
                    "User-Agent": "postpress-source",
                },
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=self._retry.timeout,
            )
            body = self._api_key.taken_out_of(read_body(response, place))
            return _Answer(response.status, response.headers, body)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            failed = explain(error, self._way, place)
        if self._closing.is_set():
            raise Stopped
        if isinstance(failed, PostpressUnavailableError):
            raise _PassingError(failed)
        raise failed

    def _decode(self, body: bytes, place: Place) -> Page:
        try:
            return decode_page(body, place)
        except UnreadableError as error:
            lasting: PostpressError = error.lasting
        except PostpressUnavailableError as error:  # a passing error that came with status 200
            lasting = error
        raise _PassingError(lasting)

    def _wait_seconds(self, state: RetryCallState) -> float:
        passing = state.outcome.exception() if state.outcome else None
        if isinstance(passing, _PassingError) and passing.wait is not None:
            return passing.wait[0]
        longest = self._retry.backoff_factor * 2 ** (state.attempt_number - 1)
        longest = min(longest, self._retry.max_delay)
        return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret

    def _asked_wait(self, answer: _Answer, place: Place) -> tuple[float, str] | None:
        """What `Retry-After` or `x-ratelimit-reset` asks for, in seconds and in words."""
        wait = asked_wait(answer.headers, answer.status)
        if wait is None or wait[0] <= self._retry.max_delay:
            return wait
        raise PostpressUnavailableError(
            f"The API asks to wait {wait[0]:.0f} s ({wait[1]}), longer than the "
            f"{self._retry.max_delay:.0f} s allowed",
            status=answer.status,
            where=place.where,
            account_id=place.account_id,
            next_step="Run again after that time, or raise RUNTIME__REQUEST_MAX_RETRY_DELAY.",
        )

    def _say_wait(self, state: RetryCallState, traffic: Traffic, place: Place) -> None:
        traffic.retries += 1
        passing = state.outcome.exception() if state.outcome else None
        wait = passing.wait if isinstance(passing, _PassingError) else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        logger.log(
            logging.WARNING if seconds >= VISIBLE_WAIT_SECONDS else logging.INFO,
            "%s: %s. Waiting %.1f s%s before attempt %d of %d.",
            place.where,
            str(passing).replace(self._api_key, "***"),
            seconds,
            f" ({wait[1]})" if wait else "",
            state.attempt_number + 1,
            self._retry.max_attempts,
        )

    def _sleep(self, seconds: float, traffic: Traffic) -> None:
        if seconds > 0:
            traffic.waited_seconds += seconds
            self._closing.wait(seconds)
        if self._closing.is_set():
            raise Stopped

    def _heed_budget(self, headers: Mapping[str, str]) -> None:
        pause = self._budget.heed(headers, self._retry.max_delay)
        if pause >= VISIBLE_WAIT_SECONDS:
            logger.warning("The API's request budget is nearly used up; waiting %.1f s.", pause)

    def _redacted(self, error: PostpressError) -> PostpressError:
        """The error, the key taken out wherever a server echoed it."""
        for name, value in vars(error).items():
            if isinstance(value, str):
                setattr(error, name, value.replace(self._api_key, "***"))
        error.args = (str(error),)
        return error


def _place(query: Mapping[str, str], page: int) -> Place:
    account_id = query.get("account_id")
    of_account = f", account {account_id}" if account_id else ""
    return Place(f"GET {CHATS_PATH}, page {page}{of_account}", account_id)
