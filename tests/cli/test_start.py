"""Start-up, help, and wrong usage: what happens before anything heavy is needed."""

import platform
import subprocess
import sys
from importlib.metadata import version

import pytest

import postpress_source
from tests.cli.conftest import COMMANDS, POSTPRESS, Desk, assert_plain


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, postpress_source\n"
        "from postpress_source.cli import main\n"
        "sys.argv = ['postpress', '--help']\n"
        "try: main()\n"
        "except SystemExit: print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]
    for heavy in ("dlt", "duckdb", "pyarrow", "fastapi", "uvicorn"):
        assert repr(heavy) not in loaded


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_and_ends_well(desk: Desk, command: str) -> None:
    ended = desk.run(*command.split(), "--help")
    assert ended.code == 0
    assert_plain(ended.text)
    assert ("Exit codes" in ended.out) == (command == "")
    commands = ended.out.partition("Commands:")[2]
    assert "..." not in commands, "a sentence is cut"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--nonsense"], "--nonsense"),
        (["walk"], "walk"),
        (["sandbox", "--chats", "many"], "--chats"),
        (["sandbox", "--advance", "soon"], "6h"),
        (["plan", "--type", "EMAIL"], "LINKEDIN"),
        (["run", "--type", "linkdin"], "Did you mean LINKEDIN?"),
        (["plan", "--destination", "punchcards"], "filesystem"),
        (["plan", "--destination", "Postgrse"], "Did you mean postgres?"),
        (["run", "--since", "yesterday"], "2026-05-17"),
    ],
)
def test_wrong_usage_is_two(desk: Desk, arguments: list[str], told: str) -> None:
    ended = desk.run(*arguments)
    assert ended.code == 2, ended.text
    assert told in ended.err
    assert "Traceback" not in ended.err


def test_names_are_known_in_any_case(desk: Desk) -> None:
    ended = desk.run("plan", "--destination", "DuckDB", "--type", "linkedin")
    assert ended.code == 0, ended.text
    assert "account_type=LINKEDIN" in ended.out


@pytest.mark.parametrize("installed", [True, False])
def test_all_settings_that_are_missing_are_told_at_once(desk: Desk, installed: bool) -> None:
    if not installed:
        (desk.folder / "psycopg2.py").write_text("raise ModuleNotFoundError(name='psycopg2')")
        desk.environment["PYTHONPATH"] = str(desk.folder)
    told = desk.run("run", "--destination", "postgres")
    assert told.code == 1, told.text
    assert_plain(told.text)
    block = told.err.partition("[destination.postgres.credentials]")[2]
    for name in ("database", "username", "password", "host"):
        assert f'{name} = "..."' in block
        assert f"DESTINATION__POSTGRES__CREDENTIALS__{name.upper()}" in block


def test_the_extra_that_brings_a_destination_is_ours(desk: Desk) -> None:
    (desk.folder / "psycopg2.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'psycopg2'\", name='psycopg2')"
    )
    credentials = "postgresql://somebody:secret@127.0.0.1:9/nothing"
    told = desk.run(
        *("plan", "--destination", "postgres"),
        PYTHONPATH=str(desk.folder),
        DESTINATION__POSTGRES__CREDENTIALS=credentials,
    )
    assert told.code == 1, told.text
    assert "pip install 'postpress-source[postgres]'" in told.err
    assert "secret" not in told.text


def test_the_package_shows_its_names_without_importing_dlt() -> None:
    script = (
        "import sys, postpress_source\n"
        "assert 'postpress_source' in dir(postpress_source)\n"
        "assert set(postpress_source.__all__) <= set(dir(postpress_source))\n"
        "assert 'dlt' not in sys.modules\n"
        "from postpress_source import *\n"
        "assert issubclass(PostpressAuthError, PostpressError)\n"
        "assert not hasattr(postpress_source, 'nonsense')\n"
        "from dlt.extract.reference import SourceReference\n"
        "found = SourceReference.find('postpress_source.postpress_source')\n"
        "assert found.name == 'postpress', found.name"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_version_is_that_of_the_metadata_and_imports_nothing_heavy(desk: Desk) -> None:
    told = desk.run("--version")
    assert told.code == 0
    of = {name: version(name) for name in ("postpress-source", "dlt", "duckdb")}
    assert told.out.startswith(f"postpress {of['postpress-source']} (dlt {of['dlt']}, ")
    assert f"duckdb {of['duckdb']}, Python {platform.python_version()})" in told.out
    assert postpress_source.__version__ == of["postpress-source"]
    script = (
        "import runpy, sys\n"
        "sys.argv = ['postpress', '--version']\n"
        "try: runpy.run_module('postpress_source', run_name='__main__')\n"
        "except SystemExit: assert not {'dlt', 'duckdb', 'pyarrow'} & set(sys.modules)"
    )
    module = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert module.stdout == told.out


def test_the_module_is_the_command(desk: Desk) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "postpress_source", "walk"],
        env=desk.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "Usage: postpress [OPTIONS]" in ended.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("postpress s", ["status", "sandbox"]), ("postpress run --des", ["--destination"])],
)
def test_the_shell_completes_commands_and_options(
    desk: Desk, typed: str, offered: list[str]
) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    assert desk.run(_POSTPRESS_COMPLETE="complete_bash", **words).out.split() == offered


def test_completion_is_installed_where_the_shell_looks(desk: Desk) -> None:
    # in a shell that stays, since the command asks which one started it
    typed = f"{POSTPRESS} --install-completion || exit; true"
    subprocess.run(["bash", "-c", typed], env=desk.environment, cwd=desk.folder, check=True)
    (script,) = (desk.folder / ".bash_completions").iterdir()
    assert "complete -o default -F _postpress_completion postpress" in script.read_text()
    assert str(script) in (desk.folder / ".bashrc").read_text()
