"""What a person has who installs the package: an empty environment, the README, and no clone."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.conftest import PROJECT, ROOT, UV, run

README = (ROOT / "README.md").read_text()
SECTION = README.split("\n## Install\n")[1].split("\n## ")[0]
INSTALL, *COMMANDS = "".join(re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)).splitlines()


def interpreter(version: str) -> str:
    """A Python of that minor version; skips the test where there is none."""
    places = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for found in [shutil.which(f"python{version}"), *places]:
        if found and subprocess.run([found, "-c", ""], check=False).returncode == 0:
            return str(found)
    pytest.skip(f"Python {version} is not on this machine")


@pytest.fixture
def environment(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> dict[str, str]:
    """An environment into which the README's command has installed the wheel, and nothing else.

    The wheel comes from a folder, what it needs from the registry or uv's cache: uv stands in for
    pip because it has one. The versions are the lock's.
    """
    home = tmp_path / "home"
    home.mkdir()
    run(UV, "venv", "--quiet", "--python", interpreter(request.param), tmp_path / "venv")
    assert INSTALL.startswith("pip install ")
    run(
        "sh",
        "-c",
        f"'{UV}' {INSTALL} --quiet",
        cwd=home,
        VIRTUAL_ENV=str(tmp_path / "venv"),
        UV_FIND_LINKS=str(wheel.parent),
        UV_CONSTRAINT=str(ROOT / "requirements" / "dev.lock"),
    )
    return {
        "HOME": str(home),
        "PATH": f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": "",
        "PYTHONSAFEPATH": "1",
        "DLT_DATA_DIR": str(home / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "SOURCES__POSTPRESS__API_KEY": "pp_live_readme_0123456789",
    }


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["3.11", "3.12", "3.13", "3.14"], indirect=True)
def test_the_readme_holds_for_what_is_installed(environment: dict[str, str]) -> None:
    home = Path(environment["HOME"])
    where = (
        "import postpress_source; print(postpress_source.__file__, postpress_source.__version__)"
    )
    file, version = run("python", "-c", where, cwd=home, **environment).split()
    assert Path(file).is_relative_to(home.parent / "venv")
    assert version == PROJECT["version"]

    assert COMMANDS == [
        "postpress --version",
        "postpress run --sandbox",
        "postpress status --sandbox",
    ]
    shown, loaded, status = [run("sh", "-c", line, cwd=home, **environment) for line in COMMANDS]
    assert shown.startswith(f"postpress {version} (dlt ")
    assert run("python", "-m", "postpress_source", "--version", cwd=home, **environment) == shown
    assert "500 read, 500 loaded" in loaded
    assert "500 rows" in status

    blocks = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    program = (
        "import os\n"
        "from postpress_source.sandbox import generate_world, serve\n"
        "with serve(generate_world(chats=300)) as server:\n"
        "    os.environ['SOURCES__POSTPRESS__BASE_URL'] = server.url\n"
        + "".join(f"    {line}\n" for line in blocks.splitlines())
        + "    print(len(pipeline.dataset().chats.fetchall()))\n"
    )
    printed = run("python", "-W", "ignore", "-c", program, cwd=home, **environment)
    assert printed.splitlines()[-1] == "300"
