"""docs/errors.md says what the code does: the table is the code's, the tree is the classes'."""

from __future__ import annotations

import re
from pathlib import Path

import postpress_source
from postpress_source.errors import DOCUMENTED_ERRORS, PostpressError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
BEGIN, END = "<!-- errors: begin -->\n", "<!-- errors: end -->\n"


def table() -> str:
    """The documented errors as Markdown."""
    rows = [
        f"| `{known.type.removeprefix('errors/')}` | {known.status} | `{known.error.__name__}` | "
        f"{known.next_step} |"
        for known in DOCUMENTED_ERRORS
    ]
    head = ["| `errors/...` | HTTP | Raised as | Next step |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def test_the_table_is_the_codes_own() -> None:
    text = PAGE.read_text()
    start = text.index(BEGIN) + len(BEGIN)
    written = text[start : text.index(END)]
    assert written == table(), "put the output of `python -m tests.faults.test_errors_doc` there"
    assert written.count("\n") == 31 + 2


def test_every_public_error_is_on_the_page_and_no_other() -> None:
    named = set(re.findall(r"\bPostpress\w*Error\b", PAGE.read_text()))
    public = {name for name in postpress_source.__all__ if name.endswith("Error")}
    assert named == public


def test_the_tree_is_the_classes() -> None:
    tree = re.findall(r"^( *)(Postpress\w+)", PAGE.read_text(), re.MULTILINE)
    path: list[type[PostpressError]] = []
    for indent, name in tree:
        del path[len(indent) // 4 :]
        error = getattr(postpress_source, name)
        assert not path or issubclass(error, path[-1])
        assert len(path) == len(indent) // 4
        path.append(error)
    assert len(tree) == 7


if __name__ == "__main__":
    print(table(), end="")
