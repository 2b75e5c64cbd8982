"""What is measured. Each scenario returns plain numbers, for the report and for results.json."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from contenders import FLOOR, HERE, OURS, ROUNDS, Contender, python
from landed import compare, listed
from measure import Run, run

from postpress_source.sandbox import serve_process

ENV = "SOURCES__POSTPRESS__"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="postpress-bench-") as folder:
        yield Path(folder)


def _run(who: Contender, url: str, key: str, folder: Path, **settings: str) -> Run:
    return run(who.command(url, key, folder), folder, **settings)


def _ours(url: str, key: str, folder: Path, **settings: str) -> Run:
    done = _run(OURS, url, key, folder, **{ENV + name: text for name, text in settings.items()})
    if done.status:
        raise RuntimeError(done.trouble)
    return done


def _numbers(runs: Sequence[Run]) -> dict[str, Any]:
    """Medians of all numbers, how many runs they are of, and how far the runs lie apart."""
    said = {name: median(each.said[name] for each in runs) for name in runs[0].said}
    whole = {
        name: median(getattr(each, name) for each in runs)
        for name in ("seconds", "cpu_seconds", "peak_mib")
    }
    inside = [each.said["inside"] for each in runs]
    return {**whole, **said, "runs": len(runs), "inside_range": [min(inside), max(inside)]}


def first_load(contenders: Sequence[Contender], chats: int) -> dict[str, Any]:
    """Everybody loads all chats into nothing, in turns; who lost something is told apart."""
    results: dict[str, Any] = {}
    with serve_process(chats) as server, _folder() as folder:
        expected = listed(server.url, server.key)
        done: dict[str, list[Run]] = {each.name: [] for each in contenders}
        for turn in range(max(each.rounds for each in contenders)):
            for each in contenders:
                if turn >= each.rounds:
                    continue
                place = folder / f"{each.name}{turn}"
                one = _run(each, server.url, server.key, place)
                if one.status:
                    results[each.name] = {"lost": f"died: {one.trouble[-300:]}"}
                    continue
                done[each.name].append(one)
                results.setdefault(each.name, {"lost": compare(each.shape, place, expected)})
    for name, runs in done.items():
        if runs:
            results[name] |= _numbers(runs)
    return results


def later_runs(chats: int) -> dict[str, Any]:
    """Runs with nothing changed and about 1 % changed, then two full walks, and so on.

    The first full walk finds the changes that moved no timestamp, the second finds nothing.
    """
    full_walk = {"FULL_WALK_EVERY": "PT0S"}
    kinds: dict[str, dict[str, str]] = {
        "nothing changed": {},
        "1 % changed": {},
        "full walk, silent changes": full_walk,
        "full walk, nothing changed": full_walk,
    }
    done: dict[str, list[Run]] = {"first": [], **{name: [] for name in kinds}}
    more: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    now = datetime.now(UTC) - timedelta(days=1)  # room for time to pass in
    with serve_process(chats, now=now) as server, _folder() as folder:
        done["first"].append(_ours(server.url, server.key, folder))
        for name, settings in list(kinds.items()) * ROUNDS:
            if name == "1 % changed":
                server.advance(timedelta(days=0.05))  # one event in three chats a day
            requests, size = server.stats()["requests"], (folder / "chats.duckdb").stat().st_size
            done[name].append(_ours(server.url, server.key, folder, **settings))
            more[name].append(
                {
                    "requests": server.stats()["requests"] - requests,
                    "rows_written": _rows_written(folder),
                    "file_grew_mib": ((folder / "chats.duckdb").stat().st_size - size) / 2**20,
                }
            )
        lost = compare(OURS.shape, folder, listed(server.url, server.key))
    results: dict[str, Any] = {name: _numbers(runs) for name, runs in done.items()}
    for name, each in more.items():
        results[name] |= {key: median(one[key] for one in each) for key in each[0]}
    return results | {"lost": lost}


def _rows_written(folder: Path) -> int:
    """Rows of `chats` that the last load wrote."""
    sql = """
        select count(*) from postpress.chats
        where _dlt_load_id = (select max(load_id) from postpress._dlt_loads)
    """
    with duckdb.connect(str(folder / "chats.duckdb"), read_only=True) as database:
        return int(database.execute(sql).fetchall()[0][0])


def large(chats: int) -> dict[str, Any]:
    """Ours and the floor, in turns, on ten times as many chats."""
    done: dict[str, list[Run]] = {FLOOR.name: [], OURS.name: []}
    with serve_process(chats) as server:
        for _ in range(ROUNDS):
            for each in (FLOOR, OURS):
                with _folder() as folder:
                    one = _run(each, server.url, server.key, folder)
                if one.status:
                    raise RuntimeError(one.trouble)
                done[each.name].append(one)
    return {name: _numbers(runs) for name, runs in done.items()}


def latency(pages: int, accounts: int, latency_ms: int) -> dict[str, Any]:
    """One account page after page; then several, one after the other and side by side."""
    done: dict[str, list[Run]] = {"one": [], "one after the other": [], "side by side": []}
    for _ in range(ROUNDS):
        with _even(1, pages * 250, latency_ms) as (url, key, _), _folder() as folder:
            done["one"].append(_ours(url, key, folder))
        with _even(accounts, pages * 250 // 4, latency_ms) as (url, key, ids):
            for name, parallel in (("one after the other", 1), ("side by side", accounts)):
                settings = {"ACCOUNT_ID": ",".join(ids), "PARALLEL_ACCOUNTS": str(parallel)}
                with _folder() as folder:
                    done[name].append(_ours(url, key, folder, **settings))
    results: dict[str, Any] = {name: _numbers(runs) for name, runs in done.items()}
    return {"pages": pages, "accounts": accounts, "latency_ms": latency_ms, **results}


@contextmanager
def _even(accounts: int, each: int, ms: int) -> Iterator[tuple[str, str, list[str]]]:
    command = [python("ours"), HERE / "even_accounts.py", str(accounts), str(each), str(ms)]
    with subprocess.Popen(  # noqa: S603 - our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("no pipes")
        said = json.loads(server.stdout.readline())
        try:
            yield said["url"], said["key"], said["accounts"]
        finally:
            server.stdin.close()


def start_up() -> dict[str, float]:
    """Seconds of the command line's help, of importing dlt, and ours after it: fastest of seven."""
    bin_folder = Path(python("ours")).parent
    commands: dict[str, list[str | Path]] = {
        "import dlt": [python("ours"), "-c", "import dlt"],
        "import both": [
            python("ours"),
            "-c",
            "import dlt; from postpress_source import postpress_source",
        ],
        "postpress --help": [bin_folder / "postpress", "--help"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    with _folder() as folder:
        for _ in range(2 * ROUNDS + 1):
            for name, command in commands.items():
                taken[name].append(run(command, folder).seconds)
    return {name: min(seconds) for name, seconds in taken.items()}


def state_size(accounts: int) -> dict[str, int]:
    """Bytes of the source's state after a walk of many accounts."""
    with _even(accounts, 3, 0) as (url, key, ids), _folder() as folder:
        _ours(url, key, folder, ACCOUNT_ID=",".join(ids))
        state = json.loads((folder / "pipelines" / "postpress" / "state.json").read_text())
    return {"accounts": accounts, "bytes": len(json.dumps(state["sources"]["postpress"]))}
