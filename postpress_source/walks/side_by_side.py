"""Work in several threads, none of which holds up the end of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeVar

_Item = TypeVar("_Item")
_GRACE_SECONDS: Final = 0.2


def run_side_by_side(
    work: Callable[[_Item], object],
    items: Sequence[_Item],
    parallel: int,
    stop: Callable[[], None],
    on_end: Callable[[], None],
) -> None:
    """Do the work on each item, `parallel` at once; the first error ends it all, and is raised.

    The threads are daemons, and a single item has one too: whatever a server or a name server does,
    or doesn't, Ctrl-C is heeded at once, and then the process may end.

    Args:
        work: What is done.
        items: Each is worked on once.
        parallel: The most threads.
        stop: Tells the work in other threads to end, after an error.
        on_end: Told of each item that is done, in the caller's thread.
    """
    pending = iter(items)  # shared: each thread takes the next one
    ended: SimpleQueue[Future[object]] = SimpleQueue()
    threads: list[Thread] = []
    try:
        for _ in range(min(parallel, len(items))):
            arguments = (work, pending, ended)
            thread = Thread(None, _work, "postpress-walk", arguments, daemon=True)
            thread.start()
            threads.append(thread)
        for _ in items:
            ended.get().result()
            on_end()
    except BaseException:
        stop()
        for thread in threads:  # those that wait for no server are done soon
            thread.join(_GRACE_SECONDS / len(threads))
        raise


def _work(
    work: Callable[[_Item], object], pending: Iterator[_Item], ended: SimpleQueue[Future[object]]
) -> None:
    for item in pending:
        done: Future[object] = Future()
        try:
            done.set_result(work(item))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)
        ended.put(done)
        if done.exception():
            return
