"""How old a chat is where only business hours count."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpress_source.cli.failures import CommandError
from postpress_source.cli.sla import Sla, read_sla

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(0, 1_000_000).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.fixture
def office() -> Sla:
    return read_sla("8h", "9-17", "Europe/Berlin")


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2026-05-18T10:00", "2026-05-18T12:30", 2.5),  # a Monday
        ("2026-05-18T07:00", "2026-05-18T08:00", 0),
        ("2026-05-18T16:00", "2026-05-19T10:00", 2),
        ("2026-05-15T16:00", "2026-05-18T10:00", 2),  # over a weekend
        ("2026-05-16T10:00", "2026-05-17T10:00", 0),  # within one
        ("2026-05-18T20:00", "2026-05-25T20:00", 40),
        ("2026-03-27T16:00", "2026-03-30T10:00", 2),  # the clocks went forward in between
        ("2026-05-18T12:00", "2026-05-18T10:00", 0),  # a clock that is ahead
    ],
)
def test_business_hours(office: Sla, since: str, until: str, hours: float) -> None:
    assert office.age(at(since), at(until)) == timedelta(hours=hours)


@given(MOMENTS, MOMENTS, MOMENTS)
def test_ages_add_up(a: datetime, b: datetime, c: datetime) -> None:
    office = read_sla("8h", "8:30-17:15", "Europe/Berlin")
    first, middle, last = sorted((a, b, c))
    assert office.age(first, middle) + office.age(middle, last) == office.age(first, last)
    assert timedelta(0) <= office.age(first, last) <= last - first + timedelta(hours=1)


def test_all_hours_count_where_none_are_given() -> None:
    sla = read_sla(None, None, None)
    assert (sla.limit, sla.zone_name) == (timedelta(hours=24), "UTC")
    assert sla.age(at("2026-05-16T10:00"), at("2026-05-18T10:00")) == timedelta(days=2)


@pytest.mark.parametrize(
    ("sla", "hours", "zone", "told"),
    [
        ("soon", None, None, "--sla"),
        (None, "17-9", None, "--business-hours"),
        (None, "9-25", None, "--business-hours"),
        (None, "nine to five", None, "--business-hours"),
        (None, None, "Berlin", "--time-zone"),
        (None, None, "../../etc/passwd", "--time-zone"),
    ],
)
def test_what_is_none_is_named(
    sla: str | None, hours: str | None, zone: str | None, told: str
) -> None:
    with pytest.raises(CommandError, match=told):
        read_sla(sla, hours, zone)
