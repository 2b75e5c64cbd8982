"""The tables as dlt sees them: every column's type, and what it means, in the schema itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, cast

from dlt.common.schema.typing import TColumnSchema

from postpress_source.chats.fields import (
    COLUMNS,
    LISTS,
    Field,
    Flag,
    Id,
    Instant,
    Moment,
    Mute,
    Text,
    Texts,
    Whole,
    fields_of,
)
from postpress_source.chats.walk_row import WalkedAccount, WalkRow

_DATA_TYPES: Final[dict[Any, str]] = {
    Id: "text",
    Text: "text",
    Texts: "json",
    Whole: "bigint",
    Flag: "bool",
    Instant: "timestamp",
    Moment: "timestamp",
    Mute: "timestamp",
    bool: "bool",
    bool | None: "bool",
    int | None: "bigint",
    float | None: "double",
}


def _column(data_type: str, description: str, **hints: Any) -> TColumnSchema:
    column = {"data_type": data_type, "description": description, "nullable": True, **hints}
    return cast(TColumnSchema, column)


def _columns(fields: Iterable[Field]) -> dict[str, TColumnSchema]:
    return {
        field.name: _column(
            _DATA_TYPES[field.type],
            field.meaning,
            nullable=field.nullable,
            **({"row_key": True} if field.type == Id else {}),
        )
        for field in fields
    }


_LOAD_ID: Final = _column("text", "The load that last changed the row, _dlt_loads.load_id.")
_VERSION: Final = _column(
    "text", "Hash of the id and of all that isn't null: the same as long as nothing changes."
)
CHATS: Final = {
    **_columns(field for field in COLUMNS if field not in LISTS),
    "version": _VERSION,
    "_dlt_load_id": _LOAD_ID,
}
CHAT_WALKS: Final = _columns(fields_of(WalkRow))
WALK_ACCOUNTS: Final = _columns(fields_of(WalkedAccount))
HISTORY: Final = {
    **{
        name: {key: hint for key, hint in column.items() if key != "row_key"}
        for name, column in CHATS.items()
        if name not in ("version", "_dlt_load_id")
    },
    **{field.name: _column("text", f"JSON array. {field.meaning}") for field in LISTS},
    "version": _column("text", cast(str, _VERSION["description"]), nullable=False),
    "seen_from": _column(
        "timestamp", "The run that first saw this version, chat_walks.started_at; UTC."
    ),
    "seen_until": _column(
        "timestamp", "The run that first saw it hold no longer; UTC; null: it is current."
    ),
    "gone": _column(
        "bool", "Whether the row says that the chat is gone (files only).", nullable=False
    ),
    "_dlt_load_id": _column("text", "The load that brought the row, _dlt_loads.load_id."),
}
"""The columns of `chats_history`: one row a version of a chat."""


def array_table(field: Field) -> dict[str, TColumnSchema]:
    """The columns of `chats__<field>`: one row an element."""
    return {
        "chat_id": _column(
            "text",
            "The chat, chats.id.",
            nullable=False,
            parent_key=True,
        ),
        "value": _column("text", f"One element. {field.meaning}"),
        "_dlt_list_idx": _column("bigint", "Place of the element, from 0.", nullable=False),
        "_dlt_id": _column(
            "text", "chat_id:_dlt_list_idx, the row's key.", nullable=False, row_key=True
        ),
    }


ARRAYS: Final = {field.name: array_table(field) for field in LISTS}


class TableNames(NamedTuple):
    """What the tables are called; all follow the first, which the user may have renamed."""

    chats: str
    walks: str
    walk_accounts: str
    history: str
    arrays: dict[str, str]

    @classmethod
    def of(cls, chats: str = "chats", normalize: Callable[[str], str] = str) -> TableNames:
        """The names beside a table of chats, in the schema's naming convention."""
        stem = "chat" if chats == "chats" else chats
        return cls(
            normalize(chats),
            normalize(f"{stem}_walks"),
            normalize(f"{stem}_walk_accounts"),
            normalize(f"{chats}_history"),
            {field.name: normalize(f"{chats}__{field.name}") for field in LISTS},
        )


NAMES: Final = TableNames.of()
