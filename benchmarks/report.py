"""Results as Markdown tables, and the first load as a picture."""

from __future__ import annotations

import html
import math
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from contenders import PEERS


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines, ""])


def machine() -> str:
    """What it ran on."""
    model = platform.processor() or platform.machine()
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ()
    ):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return (
        f"{model}, {os.cpu_count()} cores, {pages * size / 2**30:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def first_load(results: dict[str, Any], chats: int) -> str:
    """The table of everybody's first load."""
    ours, floor = results["ours"], results["floor"]
    rows = []
    for peer in PEERS:
        it = results[peer.name]
        if "seconds" not in it:
            rows.append([peer.label, *["-"] * 8, it["lost"], "0"])
            continue
        rows.append(
            [
                peer.label,
                f"{it['seconds']:.1f} s",
                _spread(it),
                f"{it['cpu_seconds']:.1f} s",
                f"{it['peak_mib']:.0f} MiB",
                f"{it['seconds'] / ours['seconds']:.1f}",
                f"{it['inside'] / ours['inside']:.1f}",
                f"{it['inside'] / floor['inside']:.1f}",
                f"{it['cpu_seconds'] / floor['cpu_seconds']:.1f}",
                it["lost"] or "all rows",
                str(it["runs"]),
            ]
        )
    head = [
        "way",
        "whole process",
        "without imports",
        "CPU",
        "peak",
        "x ours, whole process",
        "x ours",
        "x floor",
        "CPU x floor",
        "landed",
        "runs",
    ]
    return f"### First load, {chats:,} chats\n\n" + _table(head, rows)


def in_short(results: dict[str, Any]) -> str:
    """The README's table: everybody's first load, without imports."""
    ours = results["ours"]
    rows = []
    for peer in PEERS:
        it = results[peer.name]
        numbers = ["-", "-", "-"]
        if "seconds" in it:
            ratio = it["inside"] / ours["inside"]
            numbers = [f"{it['inside']:.1f} s", f"{ratio:.1f}", f"{it['peak_mib']:.0f} MiB"]
        label = f"**{peer.label}**" if peer.name == "ours" else peer.label
        rows.append([label, *numbers, it["lost"] or "all rows"])
    return _table(["way", "time", "x ours", "peak memory", "landed"], rows)


def _spread(it: dict[str, Any]) -> str:
    low, high = it["inside_range"]
    apart = f" ({low:.1f} to {high:.1f})" if it["runs"] > 1 else ""
    return f"{it['inside']:.1f} s{apart}"


def later_runs(results: dict[str, Any]) -> str:
    """The table of the runs after the first."""
    rows = [
        [
            name,
            f"{it['seconds']:.2f} s",
            f"{it['extract']:.2f} s",
            f"{it['load']:.2f} s",
            f"{it['requests']:.0f}" if "requests" in it else "",
            f"{it['rows_written']:.0f}" if "rows_written" in it else "all",
            f"{it['file_grew_mib']:.1f} MiB" if "file_grew_mib" in it else "",
        ]
        for name, it in results.items()
        if name != "lost"
    ]
    head = ["run", "whole process", "extract", "load", "requests", "rows written", "file grew"]
    landed = results["lost"] or "the tables equal the API's list"
    share = results["1 % changed"]["extract"] / results["first"]["extract"]
    return (
        "### Later runs\n\n"
        + _table(head, rows)
        + f"\nAfter them {landed}. "
        + f"With 1 % changed the extract takes {share:.2f} of the first one's.\n"
    )


def large(results: dict[str, Any], small: dict[str, Any], chats: int) -> str:
    """The table of memory and time on ten times as many chats."""
    ours, floor = results["ours"], results["floor"]
    peaks = [each["ours"]["extract_normalize_peak_kib"] / 1024 for each in (results, small)]
    rows = [_against("peak of extract and normalize", "MiB", *peaks, "at a tenth")]
    for name, key, unit in (
        ("peak of the whole run", "peak_mib", "MiB"),
        ("whole process", "seconds", "s"),
        ("CPU", "cpu_seconds", "s"),
    ):
        rows.append(_against(name, unit, ours[key], floor[key], "floor"))
    head = ["", "ours", "against", "ratio"]
    return f"### {chats:,} chats\n\n" + _table(head, rows)


def _against(name: str, unit: str, ours: float, other: float, whose: str) -> list[str]:
    return [name, f"{ours:.0f} {unit}", f"{other:.0f} {unit}, {whose}", f"{ours / other:.2f}"]


def rest(waiting: dict[str, Any], start: dict[str, float], state: dict[str, int]) -> str:
    """The table of latency, start-up and state."""
    ms, pages, accounts = waiting["latency_ms"], waiting["pages"], waiting["accounts"]
    one, apart, beside = (
        waiting[name]["extract"] for name in ("one", "one after the other", "side by side")
    )
    least = pages * ms / 1000
    dlt, both = start["import dlt"], start["import both"]
    some = f"{accounts} accounts of {pages // 4} pages"
    rows = [
        [f"{pages} pages, {ms} ms each, extract", f"{one:.1f} s", f"{one / least:.2f} x waiting"],
        [f"{some}, one after the other", f"{apart:.1f} s", ""],
        [f"{some}, side by side", f"{beside:.1f} s", f"{apart / beside:.1f} x faster"],
        ["import dlt", f"{dlt:.2f} s", ""],
        ["postpress --help", f"{start['postpress --help']:.2f} s", "without dlt"],
        ["import postpress_source after dlt", f"{both - dlt:.2f} s", ""],
        [f"state of {state['accounts']} accounts", f"{state['bytes']} bytes", ""],
    ]
    return "### Waiting, start, state\n\n" + _table(["", "measured", "is"], rows)


def picture(results: dict[str, Any], chats: int) -> str:
    """An SVG of the first load: a bar each, on a logarithmic scale."""
    bars = [(peer, results[peer.name]) for peer in PEERS if "seconds" in results[peer.name]]
    bars.sort(key=lambda bar: bar[1]["seconds"])
    low = min(it["seconds"] for _, it in bars) / 2
    scale = 420 / math.log(max(it["seconds"] for _, it in bars) / low)
    rows = []
    for index, (peer, it) in enumerate(bars):
        y, width = 52 + 34 * index, scale * math.log(it["seconds"] / low)
        color = "#c2410c" if peer.name == "ours" else "#64748b"
        text = f"{it['seconds']:.1f} s, {it['peak_mib']:.0f} MiB" + (it["lost"] and ", incomplete")
        rows.append(
            f'<text x="214" y="{y + 16}" text-anchor="end">{html.escape(peer.label)}</text>'
            f'<rect x="222" y="{y}" width="{width:.0f}" height="24" rx="3" fill="{color}"/>'
            f'<text x="{228 + width:.0f}" y="{y + 16}">{text}</text>'
        )
    height = 64 + 34 * len(bars)
    title = f"First load of {chats:,} chats: whole process and peak memory (logarithmic)"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#334155">'
        '<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="16" y="28" font-size="15" font-weight="600">{title}</text>'
        + "".join(rows)
        + "</svg>\n"
    )
