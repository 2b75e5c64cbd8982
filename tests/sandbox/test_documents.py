"""docs/sandbox.md names every switch and happening, and the sandbox's modules form no circle."""

import ast
import re
from dataclasses import fields
from graphlib import TopologicalSorter
from inspect import getdoc, signature
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from postpress_source.sandbox import World, WorldOptions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sandbox.md").read_text()
MODULES = ROOT / "postpress_source" / "sandbox"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_has_every_switch_with_its_readings_and_default() -> None:
    table = {row[0].strip("`"): row[1] for row in rows("Switches")}
    hints = get_type_hints(WorldOptions)
    assert list(table) == [field.name for field in fields(WorldOptions)]
    for field in fields(WorldOptions):
        told = re.findall(r"`(\w+)`", table[field.name])
        hint, first = hints[field.name], table[field.name].split(",")[0].split(" (")[0]
        if get_origin(hint) is Literal:
            assert [name for name in told if name in get_args(hint)] == list(get_args(hint))
            assert first == f"`{field.default}`", field.name
        else:
            words: dict[object, str] = {None: "none", (): "none"}
            if hint is bool:
                words = {True: "yes", False: "no"}
            assert first == words.get(field.default, str(field.default)), field.name


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(compile(block, "docs/sandbox.md", "exec"), {})  # noqa: S102  # our own page
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1 pp_test_sandbox\n", capsys.readouterr().out)


def test_the_docstring_has_every_switch_in_the_same_order() -> None:
    told = re.findall(r"^    (\w+): ", getdoc(WorldOptions) or "", re.M)
    assert told == [field.name for field in fields(WorldOptions)]


def test_the_methods_of_the_page_are_methods_of_the_world() -> None:
    calls = re.findall(r"`(\w+)\(([^)`]*)\)`", " ".join(row[0] for row in rows("What happens")))
    assert len(calls) >= 9
    for name, arguments in calls:
        known = signature(getattr(World, name)).parameters
        for argument in re.findall(r"\w+", arguments):
            assert argument in known, f"{name}({argument})"


def test_the_modules_form_no_circle() -> None:
    """Imports for type checkers and inside functions count, too."""
    names = {file.stem for file in MODULES.glob("*.py")}
    graph: dict[str, set[str]] = {}
    for file in MODULES.glob("*.py"):
        graph[file.stem] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                from_package = node.module is None
                imported = [a.name for a in node.names] if from_package else [str(node.module)]
                graph[file.stem] |= names.intersection(imported)
    assert graph["world"] >= {"activity", "changes"}
    TopologicalSorter(graph).prepare()
