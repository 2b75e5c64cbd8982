"""`make bench`: measure everything and print the tables.

make bench QUICK=1    takes a tenth of the chats
make bench KEEP=1     also writes results.json, first_load.svg and the tables in docs/benchmark.md
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime

import report
import scenarios
from contenders import HERE, PACKAGES, PEERS, ROOT, make_environments, versions

DOCS = ROOT / "docs" / "benchmark.md"
MARKS = ("<!-- results -->\n", "<!-- end of results -->\n")


def main(*, quick: bool, keep: bool) -> None:
    """Measure, print, and keep if asked to."""
    chats = 10_000 if quick else 100_000
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
    results["latency"] = waiting = scenarios.latency(20 if quick else 100, 8, 100)
    results["start_up"] = start = scenarios.start_up()
    results["state"] = state = scenarios.state_size(100)
    tell(report.rest(waiting, start, state))
    results["large"] = large = scenarios.large(chats * 10)
    tell(report.large(large, first, chats * 10))
    if keep:
        _write(results, "\n".join(parts), report.picture(first, chats))


def _write(results: dict[str, object], tables: str, picture: str) -> None:
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "first_load.svg").write_text(picture)
    before, rest = DOCS.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    DOCS.write_text(before + MARKS[0] + "\n" + tables + "\n" + MARKS[1] + after)


def _asked_for(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


if __name__ == "__main__":
    main(quick=_asked_for("QUICK"), keep=_asked_for("KEEP"))
