"""The table and the picture of what `days.py` gave."""

from __future__ import annotations

from typing import Any, Final

COLORS: Final = {"before": "#64748b", "with the sweep": "#c2410c"}
WHATS: Final = ("read", "archived", "refiled")
PICTURED: Final = ("before", "with the sweep")
Result = dict[str, Any]


def table(results: list[Result]) -> str:
    """A row each: the intervals' width in hours, and what a day costs."""
    head = ["inbox", "a run every", "", *WHATS, "requests a day", "of them sweeps", "rows read"]
    lines = [head, ["---"] * len(head)]
    for it in results:
        widths = [
            " / ".join(_hours(it[what][p]) for p in ("median", "p95", "worst")) for what in WHATS
        ]
        costs = [f"{it[name]:,.0f}" for name in ("requests", "sweeps", "rows read")]
        lines.append([it["inbox"], it["every"], it["way"], *widths, *costs])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def costs(results: list[Result]) -> str:
    """A row an inbox: what a day of hourly runs costs."""
    head = ["chats, accounts", "requests", "rows read", "rows written", "MB received"]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for it in results:
        numbers = [f"{it[name]:,.0f}" for name in ("requests", "rows read", "rows written")]
        lines.append([it["inbox"], *numbers, f"{it['bytes'] / 1e6:,.1f}"])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _hours(hours: float) -> str:
    return f"{hours:.2f}".rstrip("0").rstrip(".")


def picture(results: list[Result]) -> str:
    """An SVG: how many hours 95 of 100 intervals in which a chat was read are wide at most."""
    shown = [it for it in results if it["way"] in PICTURED]
    rows, y = [], 52
    for it in shown:
        width = 400 * it["read"]["p95"] / 24
        if it["way"] == PICTURED[0]:
            y += 14
            label = f"{it['inbox']}, every {it['every']}"
            rows.append(f'<text x="214" y="{y + 15}" text-anchor="end">{label}</text>')
        text = f"{_hours(it['read']['p95'])} h, {it['requests']:.0f} requests a day"
        rows.append(
            f'<rect x="222" y="{y}" width="{width:.0f}" height="18" rx="3" '
            f'fill="{COLORS[it["way"]]}"/><text x="{228 + width:.0f}" y="{y + 14}">{text}</text>'
        )
        y += 22
    title = "A chat is read: known within (95 of 100), without the sweep and with it"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{y + 20}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#334155">'
        '<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="16" y="28" font-size="15" font-weight="600">{title}</text>'
        + "".join(rows)
        + "</svg>\n"
    )
