"""The dbt project beside days that were loaded, and what docs/dbt.md says to do with them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree
from typing import Any, Final, NamedTuple

import dlt

from postpress_source.views import HISTORY_VIEWS, VIEWS
from tests.story import tell

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "dbt.md").read_text("utf-8")
COMMANDS: Final = re.findall(r"^dbt .*", PAGE, re.MULTILINE)
POSTGRES: Final = os.environ.get("POSTPRESS_TEST_POSTGRES", "")


def prepare(
    folder: Path, destination: Any = None, dataset_name: str = "postpress", **environment: str
) -> Inbox:
    """Four days are loaded, and the project is copied, into a folder."""
    copytree(ROOT / "dbt", folder / "dbt")
    return Inbox(tell(folder, destination, dataset_name, runs=8), folder, environment)


class Inbox(NamedTuple):
    """Days that were loaded, and the dbt project beside them."""

    pipeline: dlt.Pipeline
    folder: Path
    environment: dict[str, str]

    def run(self, command: str, status: int = 0) -> str:
        """What dbt says to a command of the page; where its tables are is asked by `rows`."""
        program, *arguments = shlex.split(command)
        ran = subprocess.run(
            [Path(sys.executable).parent / program, "--no-use-colors", *arguments],
            cwd=self.folder / "dbt",
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"]} | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == status, ran.stdout + ran.stderr
        return ran.stdout

    def rows(self, table: str) -> list[Sequence[Any]]:
        with self.pipeline.sql_client() as client:
            return sorted(client.execute_sql(f"SELECT * FROM {table}") or (), key=repr)  # noqa: S608

    def change(self, statement: str) -> None:
        with self.pipeline.sql_client() as client:
            client.execute_sql(statement)

    def gives_the_views_numbers(self) -> None:
        for view in (*VIEWS, *HISTORY_VIEWS):
            rows = self.rows(f"analytics.{view}")
            assert rows == self.rows(view), view
            assert rows or view == "account_names", view
