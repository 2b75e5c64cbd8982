"""The page on the architecture, compared with the code."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGE = ROOT / "postpress_source"
PLACES = re.findall(r"`([\w/]+\.py): ([\w.]+)`", PAGE)


def test_the_rooms_are_the_folders_in_the_order_that_is_held() -> None:
    drawn = PAGE.partition("<!-- rooms -->")[2].partition("<!-- end of rooms -->")[0]
    rooms = re.findall(r"^(\w+)/", drawn, re.MULTILINE)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    assert [layer for layer in reversed(layers) if layer in rooms] == rooms
    for room, line in zip(rooms, re.findall(r"^\w+/.*$", drawn, re.MULTILINE), strict=True):
        for module in (PACKAGE / room).glob("[a-z]*.py"):
            assert re.search(rf"\b{module.stem}\b", line), f"{room}/{module.stem} isn't drawn"


def test_the_layers_name_every_part_of_the_package() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = set(re.findall(r"\w+", " ".join(contracts["contracts"][0]["layers"])))
    parts = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith(("_", "py."))}
    assert parts == named


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_a_place_that_is_named_is_there(file: str, name: str) -> None:
    body = ast.parse((PACKAGE / file).read_text()).body
    for part in name.split("."):
        found = [node for node in body if getattr(node, "name", None) == part]
        assert found, f"{file} has no {name}"
        body = getattr(found[0], "body", [])


def test_places_and_proofs_are_named() -> None:
    assert len(PLACES) >= 8
    for proof in set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE)):
        assert (ROOT / proof).exists(), proof


def test_no_file_of_the_core_is_longer_than_a_reader_likes() -> None:
    rooms = [PACKAGE / room for room in ("", "chats", "api", "walks", "landing")]
    long = {
        path.name: lines
        for room in rooms
        for path in room.glob("*.py")
        if (lines := len(path.read_text().splitlines())) > 315
    }
    assert not long
