"""What the options of a command chose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options of a command chose.

    Attributes:
        destination: As dlt names it.
        dataset: Where the tables are, as it was chosen.
        sandbox: Whether it is about the sandbox's pipeline rather than the true one.
        account_ids: Accounts asked for; None: as the settings say.
        account_type: Provider asked for; None: as the settings say.
        full: Whether a full walk was asked for.
        unread: Only unread chats; None: as the settings say.
        since: Start date, UTC; None: none.
    """

    destination: str = "duckdb"
    dataset: str = "postpress"
    sandbox: bool = False
    account_ids: tuple[str, ...] | None = None
    account_type: str | None = None
    full: bool = False
    unread: bool | None = None
    since: datetime | None = None

    @property
    def pipeline_name(self) -> str:
        """One for each destination and dataset.

        Two places under one name would share dlt's local state, and with it a watermark that only
        one of them has earned.
        """
        parts = ["postpress_demo" if self.sandbox else "postpress"]
        parts += [] if self.destination == "duckdb" else [self.destination]
        parts += [] if self.dataset == "postpress" else [self.dataset]
        return re.sub(r"\W", "_", "_".join(parts))

    @property
    def dataset_name(self) -> str:
        """Where the tables are. The sandbox's are never among true ones.

        DuckDB's file and the folder of files are its own; in any other destination it has a dataset
        of its own.
        """
        own = not self.sandbox or self.destination in ("duckdb", "filesystem")
        return self.dataset if own else f"{self.dataset}_sandbox"

    def options(self) -> str:
        """The options that make another command speak of the same tables."""
        options = " --sandbox" if self.sandbox else ""
        options += "" if self.destination == "duckdb" else f" --destination {self.destination}"
        return options + ("" if self.dataset == "postpress" else f" --dataset {self.dataset}")

    def arguments(self) -> dict[str, Any]:
        """The source's arguments that were chosen; settings say the others."""
        chosen: dict[str, Any] = {
            "account_id": self.account_ids,
            "account_type": self.account_type,
            "unread": self.unread,
            "full_walk_every": "PT0S" if self.full else None,
        }
        return {name: value for name, value in chosen.items() if value is not None}
