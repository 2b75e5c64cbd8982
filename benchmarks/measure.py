"""Runs a command as a process of its own and measures the whole of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB_KIB = 1024
QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "DO_NOT_TRACK": "1"}


@dataclass(frozen=True, slots=True)
class Run:
    """What a process took, its imports included.

    Attributes:
        seconds: From start to end.
        cpu_seconds: Of all its threads, children included.
        peak_mib: The most memory that it, or one of its children, held at once (maximum resident
            set size, MiB).
        said: The JSON object that it printed last; empty if it printed none.
        status: Its exit status; -9 when it was killed.
        trouble: The end of its standard error, if it failed.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    said: Mapping[str, Any] = field(default_factory=dict)
    status: int = 0
    trouble: str = ""


def run(command: Sequence[str | Path], folder: Path, timeout: float = 3600, **env: str) -> Run:
    """Run a command in a folder, its output in files there; kill it after `timeout` seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    watcher = [sys.executable, "-S", "-E", __file__, str(timeout), *map(str, command)]
    done = subprocess.run(  # noqa: S603 - this file, and our own peers
        watcher,
        cwd=folder,
        env={**os.environ, **QUIET, **env},
        check=True,
        capture_output=True,
        text=True,
    )
    out, err = ((folder / name).read_text(errors="replace") for name in ("stdout", "stderr"))
    used = json.loads(done.stdout)
    return Run(**used, said=_last_object(out), trouble=err[-2000:] if used["status"] else "")


def watch(timeout: float, command: Sequence[str]) -> dict[str, float]:
    """Run a command from a process that is small itself.

    A child's peak counts what its parent held when it forked, so the benchmark, which holds all
    that it compares with, can't be the parent.
    """
    with Path("stdout").open("wb") as stdout, Path("stderr").open("wb") as stderr:
        began = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)  # noqa: S603 - our own
        status, usage = _wait(child, began + timeout)
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / MIB_KIB,
        "status": status,
    }


def _wait(child: subprocess.Popen[bytes], until: float) -> tuple[int, Any]:
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage
        if time.perf_counter() > until:
            child.kill()
        time.sleep(0.005)


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            return found if isinstance(found, dict) else {}
    return {}


if __name__ == "__main__":
    print(json.dumps(watch(float(sys.argv[1]), sys.argv[2:])))
