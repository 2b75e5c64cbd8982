"""The proof itself: its judge is nobody's relation, and its page names what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.proof.claims import CLAIMS
from tests.proof.report import PAGE

ROOT: Final = Path(__file__).parents[2]
ALLOWED: Final = "postpress_source.sandbox"


def imported(module: str) -> set[str]:
    """What a module imports, by way of others of the tests too."""
    seen, new = set[str](), {module}
    while new:
        name = new.pop()
        seen.add(name)
        if not name.startswith("tests."):
            continue
        tree = ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                new |= {node.module} - seen
            elif isinstance(node, ast.Import):
                new |= {alias.name for alias in node.names} - seen
    return seen


@pytest.mark.parametrize("module", ["tests.proof.judge", "tests.proof.right"])
def test_the_judge_shares_no_code_with_the_package(module: str) -> None:
    ours = {name for name in imported(module) if name.startswith("postpress_source")}
    assert {name for name in ours if not name.startswith(ALLOWED)} == set()
    assert ours, "it looks at the sandbox's world"


def test_every_claim_names_what_is_there() -> None:
    for claim, where in CLAIMS:
        names = re.findall(r"`([^`]+)`", where)
        path = ""
        for name in names:
            if name.endswith(".py"):
                path = name if "/" in name else f"tests/proof/{name}"
                assert (ROOT / path).exists(), claim
            else:
                assert re.search(rf"(def|class) {name}\b", (ROOT / path).read_text("utf-8")), name


def test_the_page_is_of_a_run_that_found_nothing() -> None:
    page = PAGE.read_text("utf-8")
    assert "Nothing was found" in page
    assert "**not found**" not in page
    assert all(f"| {claim} | {where} |" in page for claim, where in CLAIMS)
