"""Each page's Python runs where its reader stands.

README's first block has been run there, and nothing is installed but what `make demo` installs and
what the page tells to install.
"""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = {page.name: BLOCK.findall(page.read_text("utf-8")) for page in PAGES}

NEEDS_DATASET = pytest.mark.xfail(
    Version(metadata.version("sqlglot")) >= Version("30.22"),
    strict=True,
    reason="dlt 1.31 gives qualify() an argument that sqlglot 30.22 no longer takes; bounded",
)

# Runs blocks one after another, where some modules aren't there; blocks may use what README's has.
READER = """
import json, os, sys
absent, first, blocks = json.load(sys.stdin)

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from postpress_source.sandbox import generate_world, serve

with serve(generate_world(chats=300)) as server:
    os.environ["SOURCES__POSTPRESS__BASE_URL"] = server.url
    os.environ["SOURCES__SALES__BASE_URL"] = server.url
    names = {"__name__": "__main__"}
    exec(first, names)
    with names["pipeline"].sql_client() as client:
        assert client.execute_sql("SELECT count(*) FROM chats") == [(300,)]
    for block in blocks:
        exec(block, names)
"""


def required(*packages: str) -> set[str]:
    """Distributions that are installed with these, such as `dlt[hub]`; themselves too."""
    met: set[str] = set()
    left = [Requirement(package) for package in packages]
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        for extra in ("", *sorted(wanted.extras)):
            if f"{name}[{extra}]" in met:
                continue
            met.add(f"{name}[{extra}]")
            try:
                lines = metadata.requires(name) or []
            except metadata.PackageNotFoundError:  # for another platform
                continue
            needs = map(Requirement, lines)
            left += [n for n in needs if not n.marker or n.marker.evaluate({"extra": extra})]
    return {name.partition("[")[0] for name in met}


def absent_modules(installed: set[str]) -> list[str]:
    """Modules of this environment that only other distributions bring."""
    return sorted(
        module
        for module, owners in metadata.packages_distributions().items()
        if installed.isdisjoint(map(canonicalize_name, owners))
    )


def told_to_install(page: str) -> list[str]:
    """What the sections that have Python name in `pip install "..."`."""
    sections = re.split(r"^##+ ", page, flags=re.MULTILINE)
    return [
        package
        for section in sections
        if BLOCK.search(section)
        for package in re.findall(r"pip install \"?([\w\[\]-]+)", section)
    ]


def test_the_reader_of_the_demo_has_no_pandas() -> None:
    lock = (ROOT / "requirements" / "demo.lock").read_text()
    installed = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert required("postpress-source[sandbox]") - {"postpress-source"} <= installed
    absent = absent_modules(installed | {"postpress-source"})
    assert {"pandas", "numpy", "matplotlib", "deltalake", "pytest"} <= set(absent)
    assert not {"dlt", "duckdb", "pyarrow", "fastapi", "postpress_source"} & set(absent)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            id=page.name,
            marks=[
                *([pytest.mark.slow] if page.parent != ROOT else []),
                *([NEEDS_DATASET] if ".dataset()" in "".join(BLOCKS[page.name]) else []),
            ],
        )
        for page in PAGES
        if BLOCKS[page.name] and page.name != "dlt-recipes.md"  # test_recipes.py
    ],
)
def test_its_python_runs(page: Path, tmp_path: Path) -> None:
    first, *rest = BLOCKS["README.md"]
    text = page.read_text("utf-8")
    blocks = [
        block.replace("s3://bucket", str(tmp_path))
        for block in (rest if page.name == "README.md" else BLOCKS[page.name])
    ]
    absent = absent_modules(required("postpress-source[sandbox]", *told_to_install(text)))
    ran = subprocess.run(
        [sys.executable, "-c", READER],
        input=json.dumps([absent, first, blocks]),
        cwd=tmp_path,
        env={
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "DLT_DATA_DIR": str(tmp_path / "dlt"),
            "SOURCES__POSTPRESS__API_KEY": "pp_live_reader_0123456789",
            "SOURCES__SALES__API_KEY": "pp_live_of_sales_0123456789",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_every_block_is_found() -> None:
    """Also an indented one, or one in another notation, would be a reader's."""
    for page in PAGES:
        fences = re.findall(r"^\s*[`~]{3,}\s*py\w*", page.read_text("utf-8"), re.MULTILINE)
        assert len(fences) == len(BLOCKS[page.name]), page.name
