"""`postpress report`: the inbox as one HTML page that needs no server, no network and no script."""

from __future__ import annotations

import os
from pathlib import Path

from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode, Failure
from postpress_source.cli.overview import Overview, look
from postpress_source.cli.screen import Screen
from postpress_source.cli.sla import Sla


def report(choice: Choice, screen: Screen, sla: Sla, out: Path | None, *, names: bool) -> ExitCode:
    """Write the page, and say where it is."""
    overview = look(choice, sla)
    path = out or default_path(choice)
    try:
        written = write_page(overview, sla, path, names=names)
    except OSError as error:
        raise CommandError(
            Failure(
                "NotWritten",
                f"The page can't be written to {path}: {error.strerror}.",
                ExitCode.MEND,
                next_step="Name another file with --out.",
            )
        ) from error
    counted = overview.document["inbox"]
    screen.document({"ok": True, "exit_code": 0, "file": str(path), "bytes": written, **counted})
    screen.link("The page: ", path)
    return ExitCode.OK


def default_path(choice: Choice) -> Path:
    """The page of the default or of the sandbox's pipeline, in the current folder."""
    return Path(f"inbox_report{'_sandbox' if choice.sandbox else ''}.html")


def write_page(overview: Overview, sla: Sla, path: Path, *, names: bool = False) -> int:
    """The page is at the path, whole; it takes the place of an earlier one.

    Returns:
        Its bytes.
    """
    from postpress_source.cli.report.page import page
    from postpress_source.cli.report.past import read_past

    past = read_past(overview.pipeline, overview.walks, sla)
    text = page(overview, sla, past, names=names).encode("utf-8", "replace")
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(text)
    os.replace(part, path)  # noqa: PTH105 - one step: nobody sees half a page
    return len(text)
