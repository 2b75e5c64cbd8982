"""`make bench`: measure everything and print the tables.

make bench CHATS=1000 ROUNDS=1    takes fewer chats and turns: to see that it runs
make bench KEEP=1     also writes results.json, first_load.svg, and the tables in docs/benchmark.md
                      and README.md
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import report
import scenarios
from contenders import HERE, PACKAGES, PEERS, ROOT, make_environments, versions

MARKS = ("<!-- results -->\n", "<!-- end of results -->\n")


def main(chats: int, *, keep: bool) -> None:
    """Measure, print, and keep if asked to."""
    print("Making the environments ...", file=sys.stderr)
    make_environments(list(PACKAGES))
    installed = versions(list(PACKAGES))
    head = [
        f"{report.machine()}. {datetime.now(UTC):%Y-%m-%d}.",
        f"Load average before: {os.getloadavg()[0]:.1f}.",
        ", ".join(f"{name} {version}" for name, version in sorted(installed.items())) + ".\n",
    ]
    parts = ["\n".join(head)]
    results: dict[str, object] = {"machine": report.machine(), "versions": installed}

    def tell(part: str) -> None:
        parts.append(part)
        print(part, flush=True)

    print(parts[0])
    results["first_load"] = first = scenarios.first_load(PEERS, chats)
    tell(report.first_load(first, chats))
    results["later_runs"] = later = scenarios.later_runs(chats)
    tell(report.later_runs(later))
    results["latency"] = waiting = scenarios.latency(max(2, chats // 1_000), 8, 100)
    results["start_up"] = start = scenarios.start_up()
    results["state"] = state = scenarios.state_size(100)
    tell(report.rest(waiting, start, state))
    results["large"] = large = scenarios.large(chats * 10)
    tell(report.large(large, first, chats * 10))
    if keep:
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        (HERE / "first_load.svg").write_text(report.picture(first, chats))
        _write(ROOT / "docs" / "benchmark.md", "\n" + "\n".join(parts) + "\n")
        _write(ROOT / "README.md", report.in_short(first))


def _write(page: Path, tables: str) -> None:
    before, rest = page.read_text().split(MARKS[0])
    page.write_text(before + MARKS[0] + tables + MARKS[1] + rest.split(MARKS[1])[1])


if __name__ == "__main__":
    main(int(os.environ.get("CHATS", "100000")), keep=bool(os.environ.get("KEEP")))
