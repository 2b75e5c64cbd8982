"""How old a chat is by the house's own clock, and whether that is longer than promised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from dlt.common.configuration import configspec, resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration

from postpress_source.cli.failures import CommandError, ExitCode, Failure
from postpress_source.cli.screen import span
from postpress_source.cli.times import duration

_MONDAY: Final = datetime(1970, 1, 5)  # noqa: DTZ001 - wall clock
_WORKING_DAYS: Final = 5


@configspec
class InboxSettings(BaseConfiguration):
    """The table `[sources.postpress.inbox]`: how waiting chats are judged.

    Attributes:
        sla: How long a chat may wait, such as 24h.
        business_hours: Hours that count, Monday to Friday, such as 9-17; None: all.
        time_zone: Where they are, and where days begin, such as Europe/Berlin.
    """

    sla: str = "24h"
    business_hours: str | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Sla:
    """How long a chat may wait, and which hours count.

    Attributes:
        limit: Longest wait that is within it.
        zone: Where days and business hours are.
        zone_name: As it was given.
        opens: Start of the business hours, from midnight; None: all hours of all days count.
        closes: Their end.
    """

    limit: timedelta = timedelta(hours=24)
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    opens: timedelta | None = None
    closes: timedelta | None = None

    def age(self, since: datetime, until: datetime) -> timedelta:
        """The hours that count from one moment to another; none where it is the later one."""
        if self.opens is None or self.closes is None:
            return max(timedelta(0), until - since)
        return max(timedelta(0), self._worked(until) - self._worked(since))

    def local(self, moment: datetime | None) -> str:
        """A moment in the zone, to the minute."""
        return "-" if moment is None else f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def told(self, age: timedelta) -> str:
        """An age in words; where business hours count, in these, since a day of them is no day."""
        if self.opens is None:
            return span(age)
        return f"{age / timedelta(hours=1):,.0f} business hours"

    def short(self, age: timedelta | None) -> str:
        """The same for a cell whose heading says which hours count."""
        if age is None or self.opens is None:
            return "-" if age is None else span(age)
        return f"{age / timedelta(hours=1):,.0f} h"

    def age_heading(self) -> str:
        """The heading of such cells."""
        return "age" if self.opens is None else "age, business hours"

    def _worked(self, moment: datetime) -> timedelta:
        """Business hours from a Monday long ago up to then, by the wall clock."""
        opens, closes = self.opens or timedelta(0), self.closes or timedelta(0)
        wall = moment.astimezone(self.zone).replace(tzinfo=None) - _MONDAY
        weeks, weekday = divmod(wall.days, 7)
        today = timedelta(0)
        if weekday < _WORKING_DAYS:
            today = min(max(wall - timedelta(wall.days), opens), closes) - opens
        return (closes - opens) * (weeks * _WORKING_DAYS + min(weekday, _WORKING_DAYS)) + today

    def hours(self) -> str:
        """Which hours count, in words."""
        if self.opens is None or self.closes is None:
            return "all hours count"
        opens, closes = (_clock(each) for each in (self.opens, self.closes))
        return f"only {opens} to {closes}, Monday to Friday, {self.zone_name}, count"

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        hours = None if self.opens is None else [_clock(self.opens), _clock(self.closes)]
        return {
            "limit_seconds": self.limit.total_seconds(),
            "business_hours": hours,
            "time_zone": self.zone_name,
        }


def read_sla(sla: str | None, business_hours: str | None, time_zone: str | None) -> Sla:
    """What the options say, else the settings.

    Raises:
        CommandError: One of them is none.
    """
    given = {"sla": sla, "business_hours": business_hours, "time_zone": time_zone}
    settings = resolve_configuration(
        InboxSettings(),
        sections=("sources", "postpress", "inbox"),
        explicit_value={name: text for name, text in given.items() if text is not None},
    )
    limit = duration("--sla", settings.sla)
    opens, closes = _business_hours(settings.business_hours)
    return Sla(limit, _zone(settings.time_zone), settings.time_zone, opens, closes)


def _business_hours(text: str | None) -> tuple[timedelta | None, timedelta | None]:
    if text is None:
        return None, None
    found = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?", text.replace(" ", ""))
    if found:
        hours = [int(part or 0) for part in found.groups()]
        opens, closes = (timedelta(hours=h, minutes=m) for h, m in (hours[:2], hours[2:]))
        if opens < closes <= timedelta(days=1):
            return opens, closes
    raise _wrong("--business-hours", text, "9-17 or 08:30-18:00, the earlier hour first")


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise _wrong("--time-zone", name, "UTC or Europe/Berlin") from None


def _wrong(option: str, text: str, allowed: str) -> CommandError:
    summary = f"{option} {text!r:.80} is not allowed."
    next_step = f"Write it as {allowed}."
    return CommandError(Failure("WrongSetting", summary, ExitCode.USAGE, next_step=next_step))


def _clock(time: timedelta | None) -> str:
    minutes = int((time or timedelta(0)) / timedelta(minutes=1))
    return f"{minutes // 60:02}:{minutes % 60:02}"
