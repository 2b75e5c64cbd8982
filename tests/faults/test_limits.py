"""What headers say of the rate limit means the same in every header, and in every time zone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from postpress_source.api.limits import Limits
from postpress_source.errors import PostpressUnavailableError
from tests.faults.asking import PAGE, ask, fail
from tests.faults.hostile import always, hostile, http

ZONES = ("UTC", "America/New_York", "Asia/Kolkata")
WAIT = 90
"""Seconds that the headers ask for: more than the client may wait, so that it says so at once."""


def dated(form: str) -> Callable[[float], str]:
    """The moment in Greenwich, in a form of `strftime`."""
    return lambda moment: time.strftime(form, time.gmtime(moment))


def at(zone_hours: float, form: str) -> Callable[[float], str]:
    """The moment as a clock shows it that many hours east of Greenwich."""
    return lambda moment: dated(form)(moment + 3600 * zone_hours)


MOMENTS: dict[str, Callable[[float], str]] = {
    "HTTP date": dated("%a, %d %b %Y %H:%M:%S GMT"),
    "RFC 850 date": dated("%A, %d-%b-%y %H:%M:%S GMT"),
    "asctime date": dated("%a %b %d %H:%M:%S %Y"),
    "asctime date, day in one figure": lambda moment: time.asctime(time.gmtime(moment)),
    "date of no zone": dated("%a, %d %b %Y %H:%M:%S"),
    "date at -0000": dated("%a, %d %b %Y %H:%M:%S -0000"),
    "date at +0000": dated("%a, %d %b %Y %H:%M:%S +0000"),
    "date in UTC": dated("%a, %d %b %Y %H:%M:%S UTC"),
    "date in small letters": dated("%a, %d %b %Y %H:%M:%S gmt"),
    "date at +0530": at(5.5, "%a, %d %b %Y %H:%M:%S +0530"),
    "date in EST": at(-5, "%a, %d %b %Y %H:%M:%S EST"),
    "ISO 8601": dated("%Y-%m-%dT%H:%M:%SZ"),
    "ISO 8601 of no zone": dated("%Y-%m-%dT%H:%M:%S"),
    "ISO 8601 at -03:00": at(-3, "%Y-%m-%dT%H:%M:%S-03:00"),
    "Unix seconds": lambda moment: f"{moment:.0f}",
    "Unix seconds with a fraction": lambda moment: f"{moment:.3f}",
    "Unix ms": lambda moment: f"{moment * 1e3:.0f}",
    "Unix ns": lambda moment: f"{moment * 1e9:.0f}",
    "seconds": lambda moment: f"{moment - time.time():.0f}",
    "seconds with a fraction": lambda moment: f" {moment - time.time():.2f} ",
    "seconds with a parameter": lambda moment: f"{moment - time.time():.0f};w=60",
    "seconds in quotes": lambda moment: f'"{moment - time.time():.0f}"',
}
HEADERS = (
    "Retry-After: {}",
    "x-ratelimit-reset: {}",
    "X-Rate-Limit-Reset: {}",
    "RateLimit-Reset: {}",
    "x-ratelimit-reset-after: {}",
)


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """This machine's time zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def asked_for(*headers: str) -> float:
    """The wait that a 429 with these headers asks for, as the error says it."""
    with hostile(always(http(b"{}", "429 No", "\r\n".join(headers)))) as server:
        error = fail(server.url, max_delay=1.0)
        server.wait_for(1)
    assert isinstance(error, PostpressUnavailableError)
    seconds = error.summary.removeprefix("The API asks to wait ").partition(" s (")[0]
    assert error.next_step.startswith("Run again after that time")
    return float(seconds)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("form", MOMENTS)
def test_a_moment_is_the_same_in_every_zone(header: str, form: str, zone: str) -> None:
    value = MOMENTS[form](time.time() + WAIT)
    assert WAIT - 2 <= asked_for(header.format(value)) <= WAIT, f"{value} in {zone}"


TWICE: dict[str, tuple[list[str], float]] = {
    "doubled": (["Retry-After: 90", "Retry-After: 90"], 90),
    "two": (["Retry-After: 5", "Retry-After: 90"], 90),
    "folded into one": (["Retry-After: 90, 5"], 90),
    "with nonsense": (["Retry-After: soon", "Retry-After: 90"], 90),
    "reset, doubled": (["x-ratelimit-reset: 90", "X-RateLimit-Reset: 90"], 90),
    "of two kinds": (["x-ratelimit-reset: 5", "ratelimit-reset: 90"], 90),
    "Retry-After before reset": (["x-ratelimit-reset: 3600", "Retry-After: 90"], 90),
    "Retry-After that says nothing": (["x-ratelimit-reset: 90", "Retry-After: soon"], 90),
}


@pytest.mark.parametrize(("headers", "wait"), TWICE.values(), ids=TWICE)
def test_of_several_values_the_longest_wait_counts(headers: list[str], wait: float) -> None:
    assert asked_for(*headers) == wait


@pytest.mark.parametrize("form", ["HTTP date", "RFC 850 date", "asctime date"])
def test_a_doubled_date_is_that_date(form: str, zone: str) -> None:
    value = MOMENTS[form](time.time() + WAIT)
    for headers in ([f"Retry-After: {value}"] * 2, [f"Retry-After: {value}, {value}"]):
        assert WAIT - 2 <= asked_for(*headers) <= WAIT, zone


NO_WAIT = [
    "0",
    "-5",
    "-0000",
    "soon",
    "",
    "inf",
    "nan",
    "0x10",
    "1e400",
    "9" * 400,
    "1 000",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Wed, 99 Oct 2099 07:28:00 GMT",
    "Wed, 21 Oct 20999999 07:28:00 GMT",
    "1445412480",
    "1445412480000",
    "2015-10-21T07:28:00Z",
    "2015-10-21",
    "Sun Nov  6 08:49:37 1994",
]


@pytest.mark.parametrize("value", NO_WAIT)
@pytest.mark.parametrize("header", HEADERS)
def test_what_asks_for_no_wait_is_none_and_is_retried(header: str, value: str, zone: str) -> None:
    refusal = http(b"{}", "429 No", header.format(value))
    answers = [refusal, PAGE]
    with hostile(lambda request: [answers.pop(0)]) as server:
        page, traffic = ask(server.url, max_delay=1.0)
    assert len(page.chats) == 1
    assert traffic.retries == 1
    assert traffic.waited_seconds == 0.0, zone


def test_what_is_left_is_read_by_the_same_rules() -> None:
    assert Limits.of({"ratelimit-remaining": "3, 7", "ratelimit-limit": "10, 10;w=60"}) == Limits(
        remaining=3.0, limit=10.0
    )
    assert Limits.of({"x-ratelimit-remaining": "many", "x-ratelimit-limit": "-"}) == Limits()
