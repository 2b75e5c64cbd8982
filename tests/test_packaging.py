"""What is shipped: the wheel, its metadata, and the lock it is tested with."""

import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command that must succeed prints."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out)
    (built,) = out.glob("*.whl")
    return built


def test_wheel_carries_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    info = f"postpress_source-{PROJECT['version']}.dist-info"
    assert tops == {"postpress_source", info}
    assert "postpress_source/py.typed" in names
    assert f"{info}/licenses/LICENSE" in names
    sources = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "postpress_source").rglob("*.py")
    }
    assert sources <= set(names)


def test_wheel_declares_the_extras_and_the_command(wheel: Path) -> None:
    info = f"postpress_source-{PROJECT['version']}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        scripts = archive.read(f"{info}/entry_points.txt").decode()
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


def test_lock_comes_from_the_public_registry_alone() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    sources = {repr(package["source"]) for package in packages}
    assert sources == {"{'registry': 'https://pypi.org/simple'}", "{'editable': '.'}"}
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert not any(word in lock.read_text() for word in ("-index-url", "--find-links", "file:"))


@pytest.mark.parametrize(
    ("lock", "selection"),
    [
        ("dev", ["--all-extras"]),
        ("demo", ["--no-dev", "--group", "backend", "--extra", "sandbox"]),
    ],
)
def test_exported_locks_match_uv_lock(lock: str, selection: list[str]) -> None:
    uv = Path(sys.executable).with_name("uv")
    options = ["--no-emit-project", "--no-annotate", "--no-header", "--quiet", "--frozen"]
    exported = run(uv, "export", *options, *selection)
    committed = (ROOT / "requirements" / f"{lock}.lock").read_text()
    assert exported == committed, "run `make lock`"


def test_every_make_target_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = makefile.split(".PHONY:")[1].split("\n\n")[0].replace("\\", "").split()
    shown = run("make", "--no-print-directory", "help")
    assert [line.split()[1] for line in shown.splitlines()] == phony


def test_ci_scripts_can_be_run() -> None:
    scripts = [path for path in (ROOT / ".ci").iterdir() if path.read_text().startswith("#!")]
    assert scripts
    assert all(os.access(script, os.X_OK) for script in scripts)
