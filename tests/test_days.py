"""How soon a read chat is known, judged by the days that were last played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dlt
import pytest

from benchmarks.days import EVERY, HOUR, SIZES, Inbox, play
from benchmarks.days_report import costs, picture, table

ROOT = Path(__file__).parent.parent
PLAYED: list[dict[str, Any]] = json.loads((ROOT / "benchmarks" / "days.json").read_text())
RESULTS = [it for it in PLAYED if it["inbox"] not in SIZES]
SWEPT = [it for it in RESULTS if it["way"] == "with the sweep"]


def before(swept: dict[str, Any]) -> dict[str, Any]:
    (found,) = [
        it
        for it in RESULTS
        if (it["inbox"], it["every"], it["way"]) == (swept["inbox"], swept["every"], "before")
    ]
    return found


def test_the_page_and_the_picture_are_of_the_last_days_played() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text()
    shown = page.split("<!-- days -->\n")[1].split("<!-- end of days -->")[0]
    assert shown.strip() == table(RESULTS).strip()
    assert (ROOT / "docs" / "days.svg").read_text() == picture(RESULTS)
    shown = page.split("<!-- a day -->\n")[1].split("<!-- end of a day -->")[0]
    of_sizes = [it for it in PLAYED if it["inbox"] in SIZES]
    assert [it["inbox"] for it in of_sizes] == [*SIZES]
    assert shown.strip() == costs(of_sizes).strip()


@pytest.mark.parametrize("it", SWEPT, ids=lambda it: f"{it['inbox']}, {it['every']}")
def test_it_keeps_to_the_goals(it: dict[str, Any]) -> None:
    run = EVERY[it["every"]] / HOUR
    assert it["read"]["median"] <= run
    assert it["read"]["p95"] <= 3 * run
    assert it["requests"] <= 2 * before(it)["requests"]
    if it["inbox"] == "quiet":
        assert it["read"]["worst"] <= 3 * run
    assert it["read"]["worst"] < before(it)["read"]["worst"]


@pytest.mark.slow
def test_days_can_be_played_again(tmp_path: Path) -> None:
    active = dlt.pipeline("days", pipelines_dir=str(tmp_path))
    ways: tuple[dict[str, Any], ...] = ({}, {"sweep": 6 * HOUR})
    plain, swept = (play(Inbox(4_000, 2, 400), 6 * HOUR, way, 6) for way in ways)
    assert swept["read"]["worst"] < plain["read"]["worst"]
    assert swept["requests"] > plain["requests"]
    active.deactivate()
