"""The README says what is so: its commands run, its tables are the code's, its links work."""

import base64
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from dlt.common.schema.typing import TColumnSchema

from postpress_source.chats.columns import CHAT_WALKS, CHATS
from postpress_source.source import PostpressArguments, PostpressSettings, postpress_source

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def columns_table(columns: dict[str, TColumnSchema]) -> str:
    rows = [
        f"| `{name}` | {hints['data_type']} | {hints.get('description')} |"
        for name, hints in columns.items()
    ]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])


def between(name: str, page: str = README) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page, re.DOTALL)
    assert found, f"the page has no {name} table"
    return found[1].strip()


def test_the_columns_are_the_codes_own() -> None:
    assert between("columns") == columns_table(CHATS)
    analysis = (ROOT / "docs" / "analysis.md").read_text()
    assert between("ledger", analysis) == columns_table(CHAT_WALKS)


def test_every_setting_is_there_with_its_default() -> None:
    stated = {
        name: row[3].strip()
        for row in (line.split("|") for line in between("settings").splitlines()[2:])
        for name in re.findall(r"`(\w+)`", row[1])
    }
    settings = dict(PostpressArguments()) | dict(PostpressSettings())
    assert stated.keys() == settings.keys()
    for name in (
        "base_url",
        "lookback",
        "full_walk_every",
        "full_walk_at_most_every",
        "history_keep",
        "limit",
        "parallel_accounts",
    ):
        assert str(settings[name]) in stated[name]
    signature = inspect.signature(postpress_source)
    assert set(signature.parameters) == set(dict(PostpressArguments()))
    assert signature.parameters["lookback"].default == timedelta(hours=1)
    assert signature.parameters["full_walk_every"].default == timedelta(days=1)
    assert signature.parameters["full_walk_at_most_every"].default == timedelta(hours=6)
    assert signature.parameters["sweep"].default is False, "a quiet head walk is two requests"


def test_the_destinations_are_those_of_their_page() -> None:
    page = (ROOT / "docs" / "destinations.md").read_text().split("\n## ")[0]
    rows = [line.replace("](#", "](docs/destinations.md#") for line in page.splitlines()]
    assert between("destinations").splitlines() == [row for row in rows if row.startswith("|")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_the_benchmarks_table_is_that_of_the_last_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    report = importlib.import_module("report")
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    marks = "<!-- results -->\n", "<!-- end of results -->\n"
    assert README.split(marks[0])[1].split(marks[1])[0] == report.in_short(results["first_load"])
    page = (ROOT / "docs" / "benchmark.md").read_text()
    assert report.first_load(results["first_load"], 100_000) in page
    assert report.later_runs(results["later_runs"]) in page
    assert report.large(results["large"], results["first_load"], 1_000_000) in page
    picture = (ROOT / "benchmarks" / "first_load.svg").read_text()
    assert picture == report.picture(results["first_load"], 100_000)


def test_the_picture_is_the_notebooks_own() -> None:
    notebook = json.loads((ROOT / "notebooks" / "inbox_health.ipynb").read_text())
    pictures = [
        base64.b64decode(output["data"]["image/png"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert (ROOT / "docs" / "inbox_health.png").read_bytes() == pictures[0]


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shown = re.search(r"<!-- output: make demo -->\n```text\n(.*?)```", README, re.DOTALL)
    assert shown
    demo = re.search(r"^demo:.*\n\t\$\(BIN\)/python (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert demo, "the demo target runs one module"
    ran = subprocess.run(
        [sys.executable, *demo[1].split()],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "DLT_DATA_DIR": str(tmp_path / "dlt")},
        capture_output=True,
        text=True,
        check=True,
    )
    python = os.path.relpath(sys.executable, tmp_path)
    assert ran.stdout.replace(python, ".venv/bin/python") == shown[1]
    *_, line, last = ran.stdout.splitlines()
    assert (tmp_path / last.rpartition(" ")[2]).read_text().startswith("<!DOCTYPE html>")
    look = line.split(maxsplit=2)[2].strip('"')
    ran = subprocess.run(
        [sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "account_id" in ran.stdout
    assert ran.stderr == ""
    assert (tmp_path / "inbox_sandbox.duckdb").exists()
    assert not (tmp_path / "inbox.duckdb").exists()
