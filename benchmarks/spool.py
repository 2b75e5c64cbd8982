"""The spool alone: CPU seconds, bytes on disk and peak, by accounts and chats.

python benchmarks/spool.py [CHECKOUT ...]     with other checkouts: everybody in turn
ROUNDS=5 MAX=1000000 python benchmarks/spool.py   more turns; nothing larger than so many chats
"""

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CASES = ((1, 100_000, 1), (10_000, 10, 1), (1, 1_000_000, 1), (1, 5_000_000, 1), (1, 1_000_000, 2))
_PAGE, _BATCH = 250, 2_000


def one(accounts: int, each: int, times: int) -> dict[str, Any]:
    """What the spool takes for accounts of `each` chats, each chat listed so many times."""
    import dlt  # noqa: F401 - what a run imports, too: it belongs to the peak
    import duckdb  # noqa: F401

    from postpress_source.walks.spool import Spool

    cpu: defaultdict[str, float] = defaultdict(float)

    def timed(step: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        done = work()
        cpu[step] += time.process_time() - began
        return done

    def add(walk: int, pages: Sequence[Any]) -> None:
        spool.add(walk, pages)
        spool._adding.result()  # noqa: SLF001 - else it would be at work while pages are made

    spool = timed("add", Spool)
    for walk in range(accounts * times):
        pending: list[Any] = []
        for page in _pages(walk % accounts * each, each):
            pending.append(page)
            if len(pending) == _BATCH // _PAGE:
                timed("add", lambda walk=walk, pages=pending: add(walk, pages))
                pending = []
        timed("add", lambda walk=walk, pages=pending: add(walk, pages))
    if accounts > 1:
        timed("keys", lambda: spool.keys(set(range(accounts))))
    rows = timed("tables", lambda: sum(table.num_rows for table in spool.tables()))
    size = os.fstat(spool._file.fileno()).st_size  # noqa: SLF001
    timed("tables", spool.close)
    said = {step: round(seconds, 2) for step, seconds in cpu.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "cpu": sum(cpu.values()),
        **said,
        "bytes a chat": size / (accounts * each * times),
        "peak MiB": peak,
        "rows": rows,
    }


def _pages(first: int, chats: int) -> Iterator[Any]:
    import msgspec

    from postpress_source.api.answers import Page
    from postpress_source.chats.records import read_documented
    from postpress_source.sandbox import generate_world

    if not _RECORDS:
        _RECORDS.extend(generate_world(chats=1_000).relist())
    for at in range(first, first + chats, _PAGE):
        numbers = range(at, min(at + _PAGE, first + chats))
        ids = [f"chat_{number * _SPREAD % 2**100:026x}" for number in numbers]
        records = [_RECORDS[n % 1_000] | {"id": id_} for n, id_ in zip(numbers, ids, strict=True)]
        text = msgspec.json.encode(records)
        yield Page(read_documented(text) or [], None, text)


_RECORDS: list[dict[str, Any]] = []
_SPREAD = 0x9E3779B97F4A7C15


def main(checkouts: Sequence[str]) -> None:
    """Measure each case in a process of its own, and print medians."""
    from measure import run

    rounds, most = int(os.environ.get("ROUNDS", "3")), int(os.environ.get("MAX", "5000000"))
    print("| checkout | accounts | chats each | times | CPU s (range) | bytes a chat | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for accounts, each, times in CASES:
        if accounts * each > most:
            continue
        said = defaultdict(list)
        for _ in range(rounds):
            for checkout in checkouts or [str(ROOT)]:
                command = [sys.executable, __file__, "--one", *map(str, (accounts, each, times))]
                with tempfile.TemporaryDirectory() as folder:
                    ran = run(command, Path(folder), PYTHONPATH=str(Path(checkout).resolve()))
                if ran.status:
                    sys.exit(ran.trouble)
                said[checkout].append(ran.said)
        for checkout, runs in said.items():
            seconds = [each_run["cpu"] for each_run in runs]
            print(
                f"| {Path(checkout).name} | {accounts:,} | {each:,} | {times} "
                f"| {statistics.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f}) "
                f"| {runs[0]['bytes a chat']:.0f} | {max(r['peak MiB'] for r in runs)} |",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*map(int, sys.argv[2:]))))
    else:
        main(sys.argv[1:])
