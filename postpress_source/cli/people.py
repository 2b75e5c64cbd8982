"""The commands of those who look at the inbox: status, digest, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from postpress_source.cli.command import command
from postpress_source.cli.options import (
    AsJson,
    BusinessHours,
    Dataset,
    Destination,
    OfSandbox,
    SlaLimit,
    TimeZone,
    WithNames,
    chosen,
)


def status(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "postpress",
    sandbox: OfSandbox = False,
    sla: SlaLimit = None,
    business_hours: BusinessHours = None,
    time_zone: TimeZone = None,
    max_behind: Annotated[
        str | None, typer.Option(metavar="TIME", help="4, if an account was read longer ago.")
    ] = None,
    max_silent: Annotated[
        str | None, typer.Option(metavar="TIME", help="4, if an account is silent for longer.")
    ] = None,
    max_waiting: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="4, if more chats wait.")
    ] = None,
    max_over_sla: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="4, if more wait longer than --sla.")
    ] = None,
    fail_on_dead: Annotated[
        bool, typer.Option("--fail-on-dead", help="4, if an account may be dead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what waits, what is loaded, and how fresh it is."""
    with command(as_json) as screen:
        from postpress_source.cli.limits import read_limits
        from postpress_source.cli.sla import read_sla
        from postpress_source.cli.status import status

        limits = read_limits(max_behind, max_silent, max_waiting, max_over_sla, dead=fail_on_dead)
        choice = chosen(destination, dataset, sandbox)
        judged = read_sla(sla, business_hours, time_zone)
        screen.exit_code = status(choice, screen, judged, limits)


def digest(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "postpress",
    sandbox: OfSandbox = False,
    sla: SlaLimit = None,
    business_hours: BusinessHours = None,
    time_zone: TimeZone = None,
    slack: Annotated[
        bool, typer.Option("--slack", help="Send it to dlt's runtime.slack_incoming_hook, too.")
    ] = False,
    names: WithNames = False,
    as_json: AsJson = False,
) -> None:
    """Say in five lines what waits and who must be called."""
    with command(as_json) as screen:
        from postpress_source.cli.digest import digest
        from postpress_source.cli.sla import read_sla

        choice = chosen(destination, dataset, sandbox)
        judged = read_sla(sla, business_hours, time_zone)
        screen.exit_code = digest(choice, screen, judged, slack=slack, names=names)


def report(
    *,
    destination: Destination = "duckdb",
    dataset: Dataset = "postpress",
    sandbox: OfSandbox = False,
    sla: SlaLimit = None,
    business_hours: BusinessHours = None,
    time_zone: TimeZone = None,
    names: WithNames = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to; else inbox_report.html here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the inbox as one HTML page that opens anywhere."""
    with command(as_json) as screen:
        from postpress_source.cli.report import report
        from postpress_source.cli.sla import read_sla

        choice = chosen(destination, dataset, sandbox)
        judged = read_sla(sla, business_hours, time_zone)
        screen.exit_code = report(choice, screen, judged, out, names=names)


PEOPLE: Final[dict[Callable[..., Any], tuple[str, str]]] = {
    status: ("postpress status --sandbox", "postpress status --max-behind 2h --max-waiting 5000"),
    digest: ("postpress digest --sandbox --sla 8h", "postpress digest --names --json"),
    report: ("postpress report --sandbox", "postpress report --sla 8h --business-hours 9-17"),
}
