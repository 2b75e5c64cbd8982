"""The dbt project says of tables and views what the package says, in the package's words."""

from __future__ import annotations

import re
from pathlib import Path
from runpy import run_path
from typing import Any, Final

import pytest
import yaml

from postpress_source.views import HISTORY_VIEWS, VIEWS, view_sql

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = ROOT / "dbt"
GENERATE: Final = run_path(str(PROJECT / "generate.py"))
SETTINGS: Final = yaml.safe_load((PROJECT / "dbt_project.yml").read_text("utf-8"))


def test_what_is_committed_is_what_is_generated() -> None:
    written = {path: path.read_text("utf-8") for path in (PROJECT / "models").rglob("*.*")}
    assert written == GENERATE["files"](), "make dbt-models"


@pytest.mark.parametrize("view", [*VIEWS, *HISTORY_VIEWS])
def test_a_model_is_its_views_query_with_the_same_defaults(view: str) -> None:
    (model,) = (PROJECT / "models").rglob(f"{view}.sql")
    query = model.read_text("utf-8").partition("\n")[2]
    query = re.sub(r"\{\{ (ref|source)\((?:'postpress', )?'(\w+)'\) \}\}", r"\2", query)
    query = re.sub(r"\{\{ var\('(\w+)'\) \}\}", lambda name: str(SETTINGS["vars"][name[1]]), query)
    query = query.replace("{{ account_names() }}", "(NULL, NULL)")
    assert "{{" not in query
    assert view_sql(view).endswith(f"CREATE VIEW {view} AS\n{query.rstrip()};\n")


def test_every_table_of_a_model_is_a_source_or_a_model() -> None:
    named = {*GENERATE["TABLES"], *VIEWS, *HISTORY_VIEWS}
    for model in (PROJECT / "models").rglob("*.sql"):
        text = re.sub(r"--.*", "", model.read_text("utf-8"))
        tables = set(re.findall(r"\b(?:FROM|JOIN) (\w+)\b", text))
        assert not tables & named, model.name


def test_every_model_has_a_key_or_says_none() -> None:
    assert {*VIEWS, *HISTORY_VIEWS} - GENERATE["KEYS"].keys() == {"walk_runs"}  # as the ledger


def test_the_page_names_each_variable_with_its_default() -> None:
    page = (ROOT / "docs" / "dbt.md").read_text("utf-8")
    rows = re.findall(r"^\| (`\w+`.*?) \| (.+?) \|", page, re.MULTILINE)
    told: dict[str, Any] = {}
    for names, defaults in rows:
        values = defaults.split(", ")
        told |= dict(zip(re.findall(r"`(\w+)`", names), values, strict=True))
    assert told == {name: str(value) for name, value in SETTINGS["vars"].items()}
