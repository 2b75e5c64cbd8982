"""The whole pipeline in one process, without a socket, and without waiting.

What a clock, a socket or a thread decides otherwise follows from the calls and from a seed: the
same seed gives the same requests, rows and ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Condition, Thread
from typing import Any, Final
from unittest.mock import patch

from dlt.common.configuration.specs import base_configuration

from postpress_source.api.client import PostpressClient, _Answer
from postpress_source.api.refusals import Place
from postpress_source.sandbox import World
from tests.proof.warehouse import answer_of

URL: Final = "http://127.0.0.1/v1"
_SETTINGS: Final = {
    "RUNTIME__REQUEST_MAX_ATTEMPTS": "1",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "SOURCES__POSTPRESS__PARALLEL_ACCOUNTS": "3",
}


class Inline(Executor):
    """Does its work at once, in the caller's thread; a death isn't kept back."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)
        return done


class Turns:
    """Work side by side of which one at a time goes on; the seed says which, at each request."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._changed = Condition()
        self._alive: list[int] = []
        self._turn = -1

    def run(
        self,
        work: Callable[[Any], object],
        items: Sequence[Any],
        parallel: int,
        stop: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        """As `walks.side_by_side.run_side_by_side`."""
        pending, errors = iter(items), list[BaseException]()

        def go(number: int) -> None:
            try:
                self._wait(number)
                for item in pending:
                    work(item)
            except BaseException as error:  # noqa: BLE001 - raised by the caller
                errors.append(error)
                stop()
            finally:
                self._alive.remove(number)
                self._choose()

        threads = [Thread(target=go, args=[n]) for n in range(min(parallel, len(items)))]
        self._alive = list(range(len(threads)))
        self._choose()
        for step in (Thread.start, Thread.join):
            for thread in threads:
                step(thread)
        if errors:
            raise errors[0]
        for _ in items:
            on_end()

    def pass_on(self) -> None:
        """Another one may go on; called by the one whose turn it is."""
        with self._changed:
            mine = self._turn
            self._choose()
        self._wait(mine)

    def _choose(self) -> None:
        with self._changed:
            self._turn = self._random.choice(self._alive) if self._alive else -1
            self._changed.notify_all()

    def _wait(self, number: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._turn in (number, -1))


_is_secret_hint: Final = lru_cache(None)(base_configuration.is_secret_hint)
"""A tenth of a run, else."""


@contextmanager
def one_process(
    world: World,
    seed: int = 0,
    on_request: Callable[[str], object] = lambda url: None,
    skew: Callable[[], timedelta] = timedelta,
) -> Iterator[list[str]]:
    """While it is open, the package and dlt run so, and the source reads from this world.

    Args:
        world: Its clock is the machine's, too.
        seed: Of the order in which walks go on.
        on_request: Told of each request, before it is sent and after it was answered.
        skew: How far the machine's clock is ahead of the world's.

    Yields:
        The requests so far.
    """
    turns, numbers, requests = Turns(seed), count(), list[str]()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return (world.now + skew()).astimezone(tz or UTC)

    def send(client: PostpressClient, url: str, place: Place) -> _Answer:
        turns.pass_on()
        on_request(url)
        requests.append(url)
        answer = answer_of(world, url)
        on_request(url)
        return answer

    def tick() -> float:
        return (world.now + timedelta(milliseconds=next(numbers))).timestamp()

    with (
        patch.dict("os.environ", _SETTINGS),
        patch.object(PostpressClient, "_send", send),
        patch("postpress_source.sync.datetime", Clock),
        patch("postpress_source.walks.reader.datetime", Clock),
        patch("postpress_source.walks.reading.run_side_by_side", turns.run),
        patch("postpress_source.walks.spool.ThreadPoolExecutor", lambda *_: Inline()),
        patch("dlt.common.runners.pool_runner.create_pool", lambda _: Inline()),
        patch("dlt.common.storages.load_package.increasing_precise_time", tick),
        patch("dlt.normalize.normalize.sleep", lambda _: None),
        patch("dlt.common.configuration.resolve.is_secret_hint", _is_secret_hint),
    ):
        yield requests


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder that is deleted at the end, in memory where the machine has that."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    with TemporaryDirectory(prefix="proof-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
