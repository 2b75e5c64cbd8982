"""`postpress open`: the DuckDB file in DuckDB's own command line, or in its page in the browser."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from postpress_source.cli import warehouse
from postpress_source.cli.choice import Choice
from postpress_source.cli.failures import CommandError, ExitCode, Failure
from postpress_source.cli.screen import Screen

_INSTALL: Final = "pip install duckdb-cli"


def open_file(choice: Choice, screen: Screen, *, ui: bool, only_print: bool) -> ExitCode:
    """Run DuckDB's command line on the file, or print the line where nobody could type into it.

    The file is opened for reading only, so that a query changes nothing; a run that comes
    meanwhile finds it locked all the same.
    """
    pipeline = warehouse.open_pipeline(choice)
    file = warehouse.duckdb_file(pipeline)
    if file is None or not file.exists():
        raise CommandError(_no_file(choice, warehouse.location(pipeline)))
    program = shutil.which("duckdb")
    line = _line(program and "duckdb", file, choice.dataset_name, ui=ui)
    screen.document(
        {
            "ok": True,
            "exit_code": int(ExitCode.OK),
            "file": str(file),
            "command": line,
            "installed": program is not None,
        }
    )
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if program and interactive and not only_print and not screen.as_json:
        subprocess.run([program, *line[1:]], check=False)  # noqa: S603 - the program that it is for
        return ExitCode.OK
    if program is None:
        screen.say(
            f"DuckDB's command line isn't installed here ({_INSTALL}); Python can look, too:",
            "",
        )
    screen.verbatim(shlex.join(line))
    return ExitCode.OK


def _line(program: str | None, file: Path, dataset: str, *, ui: bool) -> list[str]:
    """The words of the line; with Python, where there is no command line of DuckDB's."""
    if program:
        # the page writes its own notes into the file that it is started on
        return [program, "-ui", str(file)] if ui else [
            program, "-readonly", "-cmd", f"USE {_quoted(dataset)}", str(file),
        ]  # fmt: skip
    query = f"FROM {_quoted(dataset)}.chats"
    code = f"import duckdb; duckdb.connect({str(file)!r}, read_only=True).sql({query!r}).show()"
    return [Path(sys.executable).name if _on_path() else sys.executable, "-c", code]


def _on_path() -> bool:
    """Whether the shell finds this Python, which has DuckDB, by its name."""
    found = shutil.which(Path(sys.executable).name)
    return found is not None and Path(found).absolute() == Path(sys.executable).absolute()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _no_file(choice: Choice, location: str) -> Failure:
    return Failure(
        "NoFile",
        f"There is no DuckDB file {location} yet.",
        ExitCode.MEND,
        next_step=f"postpress run{choice.options()}",
    )
