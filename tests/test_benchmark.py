"""What the benchmark is for, judged by the results of its last kept run; nothing is timed here."""

import json
from pathlib import Path
from typing import Any

import pytest

RESULTS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "benchmarks" / "results.json").read_text()
)
FIRST, LATER, LARGE = (RESULTS[name] for name in ("first_load", "later_runs", "large"))
WAITING, START = RESULTS["latency"], RESULTS["start_up"]


def not_yet(reason: str) -> pytest.MarkDecorator:
    """A goal that isn't reached; the test fails once it is, so that the mark goes."""
    return pytest.mark.xfail(strict=True, reason=reason)


FIXED_TOO = not_yet("dlt's fixed cost, 0.4 s, is nearly half of what the floor takes in all")
NEAR_FLOOR = not_yet("a twenty-fifth of its 29 s would be the floor's own time")
CACHE = not_yet("DuckDB caches what it wrote and read, unless its memory_limit says otherwise")
FIXED = not_yet("dlt's fixed cost is 0.1 s of it, and the first load has become faster")


@pytest.mark.parametrize(
    ("peer", "at_least"),
    [
        pytest.param("rest_api", 25, marks=NEAR_FLOOR),
        ("rest_api_parquet", 4),
    ],
)
def test_a_first_load_is_many_times_faster_than_the_generic_source(
    peer: str, at_least: float
) -> None:
    assert FIRST[peer]["inside"] / FIRST["ours"]["inside"] >= at_least


@pytest.mark.parametrize("at_most", [pytest.param(1.5, marks=FIXED_TOO), 2])
def test_a_first_load_takes_little_more_than_the_floor(at_most: float) -> None:
    assert FIRST["ours"]["inside"] / FIRST["floor"]["inside"] <= at_most


def test_everybody_ran_three_times_or_more_and_ours_lost_nothing() -> None:
    assert all(peer["runs"] >= 3 for peer in FIRST.values())
    assert FIRST["ours"]["lost"] == LATER["lost"] == ""


def test_a_quiet_run_takes_less_than_a_second_and_writes_no_chat() -> None:
    assert LATER["nothing changed"]["inside"] < 1
    assert LATER["nothing changed"]["rows_written"] == 0
    assert LATER["full walk, nothing changed"]["rows_written"] == 0


@FIXED
def test_a_run_with_few_changes_extracts_in_a_tenth_of_the_first_ones_time() -> None:
    assert LATER["1 % changed"]["extract"] / LATER["first"]["extract"] <= 0.1


def test_reading_takes_the_same_memory_whatever_the_size() -> None:
    peaks = [each["ours"]["extract_normalize_peak_kib"] / 1024 for each in (FIRST, LARGE)]
    assert peaks[1] <= 1.2 * peaks[0]
    assert max(peaks) < 300


def test_a_million_chats_take_at_most_twice_the_floors_time() -> None:
    assert LARGE["ours"]["seconds"] <= 2 * LARGE["floor"]["seconds"]


@CACHE
def test_a_million_chats_take_little_more_memory_than_the_floor() -> None:
    assert LARGE["ours"]["peak_mib"] <= 1.2 * LARGE["floor"]["peak_mib"]


def test_waiting_is_what_a_slow_server_costs() -> None:
    assert WAITING["one"]["extract"] <= 1.1 * WAITING["pages"] * WAITING["latency_ms"] / 1000
    apart, beside = (WAITING[name]["extract"] for name in ("one after the other", "side by side"))
    assert apart >= 6 * beside


def test_starting_costs_little() -> None:
    assert START["postpress --help"] <= 1.5 * START["import dlt"]
    assert START["import both"] - START["import dlt"] <= 0.1
    assert RESULTS["state"]["bytes"] < 10_000
