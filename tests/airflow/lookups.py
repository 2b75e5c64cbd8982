"""A secrets backend that has nothing, and notes what it was asked for. Airflow imports it."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.secrets import BaseSecretsBackend


class Lookups(BaseSecretsBackend):  # type: ignore[misc]  # Any, where there is no Airflow
    """Appends each name to the file that LOOKUPS names."""

    def get_connection(self, conn_id: str, team_name: str | None = None) -> None:
        _note(f"connection {conn_id}")

    def get_variable(self, key: str, team_name: str | None = None) -> None:
        _note(f"variable {key}")


def _note(name: str) -> None:
    with Path(os.environ["LOOKUPS"]).open("a") as file:
        file.write(f"{name}\n")
