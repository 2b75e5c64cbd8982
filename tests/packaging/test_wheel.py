"""What is shipped: the wheel, and what its metadata says of it."""

import re
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.packaging.conftest import PROJECT, ROOT, run

INFO = f"postpress_source-{PROJECT['version']}.dist-info"
REPOSITORY = PROJECT["urls"]["Homepage"]


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f"{INFO}/METADATA").decode())


def test_wheel_carries_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"postpress_source", INFO}
    assert "postpress_source/py.typed" in names
    assert f"{INFO}/licenses/LICENSE" in names
    sources = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "postpress_source").rglob("*.py")
    }
    assert sources <= set(names)


def test_wheel_declares_the_extras_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"{INFO}/METADATA").decode())
        scripts = archive.read(f"{INFO}/entry_points.txt").decode()
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    assert "postpress = postpress_source.cli:main" in scripts


def test_wheel_imports_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import postpress_source\n"
        "from importlib.metadata import version\n"
        "print(postpress_source.__file__, version('postpress-source'))"
    )
    printed = run(sys.executable, "-I", "-c", script, cwd=tmp_path)
    assert printed.split() == [f"{site}/postpress_source/__init__.py", PROJECT["version"]]


def test_every_python_that_is_named_is_let_in_and_the_lowest_is_named(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier", [])
    named = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", c) for c in classifiers]
    versions = [found[1] for found in named if found]
    allowed = SpecifierSet(metadata["Requires-Python"])
    assert all(allowed.contains(version) for version in versions)
    assert f">={versions[0]}" in metadata["Requires-Python"]


def test_no_link_or_picture_of_the_long_description_needs_the_repository(metadata: Message) -> None:
    text = metadata.get_payload()
    assert isinstance(text, str)
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 15
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert pictures
    raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com")
    of_release = f"{raw}/v{PROJECT['version']}/", f"{REPOSITORY}/blob/v{PROJECT['version']}/"
    for target in targets:
        if target in pictures:
            assert target.startswith(of_release[0])
        if target.startswith(of_release):
            path = target.removeprefix(of_release[0]).removeprefix(of_release[1])
            assert (ROOT / path.partition("#")[0]).exists(), target


def test_the_repository_is_the_same_wherever_it_is_named() -> None:
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "pyproject.toml"]
    named = {
        found
        for path in files
        for found in re.findall(
            rf"github(?:usercontent)?\.com/([\w-]+/{PROJECT['name']})", path.read_text()
        )
    }
    assert named == {REPOSITORY.removeprefix("https://github.com/")}
