"""Write the models and the descriptions of this dbt project anew, from the package's own lists.

python dbt/generate.py (`make dbt-models`)

The models are the views of `postpress_source/views`, their tables named by dbt, their parameters
variables; sources.yml has each table and column of `postpress_source/chats`. A test holds that what
is committed is what this gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from postpress_source.chats.columns import (
    ARRAYS,
    CHAT_WALKS,
    CHATS,
    HISTORY,
    NAMES,
    WALK_ACCOUNTS,
)
from postpress_source.views import HISTORY_VIEWS, VIEWS, view_sql
from postpress_source.walks.plan import Kind

HERE: Final = Path(__file__).parent
BY: Final = "by `make dbt-models`; not edited here"
STAGING: Final = ("account_names", "inbox_chats", "chat_versions", "inbox_versions")
"""The views that others select from."""

TABLES: Final[dict[str, tuple[str, Mapping[str, Any]]]] = {
    NAMES.chats: ("One row a chat, as the list showed it last.", CHATS),
    **{
        NAMES.arrays[field]: ("One row an element of a chat's list, in order.", columns)
        for field, columns in ARRAYS.items()
    },
    NAMES.history: ("One row a version of a chat.", HISTORY),
    NAMES.walks: ("The ledger: one row a walk.", CHAT_WALKS),
    NAMES.walk_accounts: ("One row an account that a walk of all read whole.", WALK_ACCOUNTS),
    "_dlt_loads": (
        "dlt's own: one row a load.",
        {"load_id": {"data_type": "text", "description": "The load.", "nullable": False}},
    ),
}
FRESHNESS: Final = {
    "loaded_at_field": "finished_at",
    "freshness": {
        "warn_after": {"count": 3, "period": "hour"},
        "error_after": {"count": 25, "period": "hour"},
        "filter": "complete",
    },
}
KEYS: Final = {
    NAMES.history: ("id", "seen_from"),
    NAMES.walk_accounts: ("started_at", "account_id"),
    "account_names": ("account_id",),
    "inbox_chats": ("id",),
    "inbox_backlog": ("account_type", "account_id"),
    "inbox_linkedin": ("account_id", "inbox"),
    "inbox_unread_age": ("account_type", "age_order"),
    "inbox_activity": ("account_type", "weekday", "hour"),
    "inbox_shares": ("account_type",),
    "walk_kinds": ("kind",),
    "account_freshness": ("account_id",),
    "chat_versions": ("id", "seen_from"),
    "chat_changes": ("id", "field", "until"),
    "chats_gone": ("id", "until"),
    "inbox_versions": ("id", "seen_from"),
    "inbox_backlog_daily": ("account_id", "day"),
    "inbox_waits": ("id", "began_by"),
    "inbox_health_daily": ("account_id", "day"),
}
"""What a row is called by, where no single column of a table says it."""

HOLDS: Final = {
    "inbox_backlog_daily": "unread_at_least <= unread_chats AND unread_chats <= unread_at_most",
    "inbox_waits": "COALESCE(at_least_hours <= at_most_hours, TRUE)",
    "inbox_health_daily": "walks >= failed_walks AND COALESCE(behind_hours >= 0, TRUE)",
    "inbox_backlog": "waiting_chats <= unread_chats AND unread_chats <= chats",
}
"""What is true of each row."""


def files() -> dict[Path, str]:
    """What is generated: each file and its text."""
    header = f"# Written {BY}.\n"
    return {
        HERE / "models" / "sources.yml": header + _yaml({"sources": [_source()]}),
        HERE / "models" / "models.yml": header
        + _yaml({"models": [_described(name) for name in _views()]}),
        **{
            HERE / "models" / _folder(name) / f"{name}.sql": model_sql(view_sql(name))
            for name in _views()
        },
    }


def model_sql(statement: str) -> str:
    """The model of a `CREATE VIEW` statement: the same query of the same text."""
    name, query = re.split(r"\nCREATE VIEW (\w+) AS\n", statement.rstrip().rstrip(";"))[1:]
    query = re.sub(r"\b(FROM|JOIN) (\w+)\b", _relation, query)
    query = re.sub(r"(?<=parameters AS \(\n    SELECT )(.*)", _variables, query)
    query = query.replace("(NULL, NULL)", "{{ account_names() }}")
    return f"-- From postpress_source/views/{name}.sql, {BY}.\n{query}\n"


def _relation(found: re.Match[str]) -> str:
    keyword, name = found.groups()
    if name in _views():
        return f"{keyword} {{{{ ref('{name}') }}}}"
    return f"{keyword} {{{{ source('postpress', '{name}') }}}}" if name in TABLES else found[0]


def _variables(found: re.Match[str]) -> str:
    def variable(parameter: re.Match[str]) -> str:
        quote, name = parameter.groups()
        return f"{quote}{{{{ var('{name}') }}}}{quote} AS {name}"

    return re.sub(r"('?)\w+'? AS (\w+)", variable, found[0])


def _views() -> tuple[str, ...]:
    return (*VIEWS, *HISTORY_VIEWS)


def _folder(view: str) -> str:
    return "staging" if view in STAGING else "marts"


def _source() -> dict[str, Any]:
    return {
        "name": "postpress",
        "description": "What postpress_source loads.",
        "schema": "{{ var('postpress_schema') }}",
        "tables": [_table(name, *described) for name, described in TABLES.items()],
    }


def _table(name: str, meaning: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "description": meaning,
        **({"config": FRESHNESS} if name == NAMES.walks else {}),
        **_tests(name),
        "columns": [
            {
                "name": column,
                "description": hints["description"],
                "data_type": hints["data_type"],
                **_data_tests(name, column, hints),
            }
            for column, hints in columns.items()
        ],
    }


def _data_tests(table: str, column: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    tests: list[Any] = [] if hints["nullable"] else ["not_null"]
    if hints.get("row_key"):
        tests.append("unique")
    if hints.get("parent_key"):
        chats = f"source('postpress', '{NAMES.chats}')"
        tests.append({"relationships": {"arguments": {"to": chats, "field": "id"}}})
    if (table, column) == (NAMES.walks, "kind"):
        tests.append({"accepted_values": {"arguments": {"values": [*map(str, Kind)]}}})
    return {"data_tests": tests} if tests else {}


def _tests(name: str) -> dict[str, Any]:
    tests: list[Any] = []
    if name in KEYS:
        tests.append({"unique_together": {"arguments": {"columns": [*KEYS[name]]}}})
    if name in HOLDS:
        tests.append({"holds": {"arguments": {"expression": HOLDS[name]}}})
    return {"data_tests": tests} if tests else {}


def _described(view: str) -> dict[str, Any]:
    lines = view_sql(view).partition("CREATE VIEW")[0].splitlines()
    text = "\n".join(line.removeprefix("--").removeprefix(" ") for line in lines)
    return {"name": view, "description": text, **_tests(view)}


def _yaml(document: dict[str, Any]) -> str:
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100))


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # it has no types
    """Lists are indented, texts of several lines stay so, and nothing is written by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)  # noqa: FBT003


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
