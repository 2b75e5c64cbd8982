"""The tables as dlt sees them: every column's type, and what it means, in the schema itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from dlt.common.schema.typing import TColumnSchema
from dlt.extract import DltResource

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
from postpress_source.chats.walk_row import WalkRow

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


CHATS: Final = {
    **_columns(field for field in COLUMNS if field not in LISTS),
    "_dlt_load_id": _column("text", "The load that last changed the row, _dlt_loads.load_id."),
}
CHAT_WALKS: Final = _columns(fields_of(WalkRow))


def array_table(field: Field) -> dict[str, TColumnSchema]:
    """The columns of `chats__<field>`: one row an element."""
    return {
        "chat_id": _column(
            "text",
            "The chat, chats.id.",
            nullable=False,
            parent_key=True,
            root_key=True,
        ),
        "value": _column("text", f"One element. {field.meaning}"),
        "_dlt_list_idx": _column("bigint", "Place of the element, from 0.", nullable=False),
        "_dlt_id": _column(
            "text", "chat_id:_dlt_list_idx, the row's key.", nullable=False, row_key=True
        ),
    }


LEDGER: Final = "chat_walks"
ARRAY_TABLES: Final = {f"chats__{field.name}": array_table(field) for field in LISTS}


def describe_tables(chats: DltResource) -> None:
    """Give the resource its tables: `chats`, an array table for each list, and the ledger."""
    for name, columns in ARRAY_TABLES.items():
        chats.apply_hints(
            table_name=name,
            parent_table_name="chats",
            write_disposition="merge",
            columns=columns,
            create_table_variant=True,
        )
    chats.apply_hints(
        table_name=LEDGER,
        write_disposition="append",
        columns=CHAT_WALKS,
        create_table_variant=True,
    )
    chats.apply_hints(write_disposition="merge", primary_key="id", columns=CHATS)
