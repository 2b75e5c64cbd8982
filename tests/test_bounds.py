"""Nothing that hangs or dies holds up the tests: neither one of them, nor a worker, nor a step."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BOUNDED = ROOT / ".ci" / "bounded"
Ended = subprocess.CompletedProcess[str]


def run_pytest(folder: Path, *options: str, prefix: Sequence[str] = ()) -> Ended:
    """Run the tests in a folder as those of the project are run."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    command = [*prefix, sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(folder), *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


# With the interpreter's lock held, so that neither a signal nor another thread gets through.
HANGS = "import ctypes\ndef test_it(): ctypes.PyDLL(None).sleep(1_000)"
DIES = "import os, signal\ndef test_it(): os.kill(os.getpid(), signal.SIGKILL)"
# What the other worker is busy with meanwhile, far longer than the run may take.
OTHERS = """
import pytest, time
@pytest.mark.parametrize("number", range(1_000))
def test_other(number): time.sleep(1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("program", [HANGS, DIES], ids=["hangs in C", "dies"])
def test_a_test_that_hangs_or_kills_its_worker_ends_the_run(program: str, tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(program)
    (tmp_path / "test_others.py").write_text(OTHERS)
    ended = run_pytest(tmp_path, "-n", "2", "--dist", "worksteal", "-o", "faulthandler_timeout=2")
    assert ended.returncode == 1, ended.stdout
    assert "A worker died in test_one.py::test_it" in ended.stdout
    if program == HANGS:
        assert "in test_it\n" in ended.stderr, "where it hung"


WRITES = """
from pathlib import Path
def test_it():
    with Path("order").open("a") as file: file.write(__file__[-4])
"""


@pytest.mark.slow
def test_what_there_is_no_time_for_is_left_out_and_said_and_comes_first_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file of tests comes first under some seed, and none is begun when the time is up."""
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        (tmp_path / f"test_{name}.py").write_text(WRITES)
    orders = set()
    for seed in ("0", "1", "4"):
        monkeypatch.setenv("PROOF_SEED", seed)
        assert run_pytest(tmp_path, "-p", "no:xdist", "--within=300").returncode == 0
        orders.add(Path("order").read_text())
        Path("order").unlink()
    assert {order[0] for order in orders} == set("abc")
    assert {len(order) for order in orders} == {3}
    ended = run_pytest(tmp_path, "-p", "no:xdist", "--within=0")
    assert "3 skipped" in ended.stdout
    assert "no time left" in ended.stdout
    assert not Path("order").exists()


# A child that has left its session, an orphan that is deaf to a signal, and one in the foreground.
FAMILY = """
setsid sleep 1000 &
echo $!
(trap '' {deaf_to}; nohup sleep 1000 >/dev/null 2>&1 & echo $!)
echo $$
{last}
"""


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="orphans are taken in on Linux alone")
@pytest.mark.parametrize(
    ("last", "kill", "status"),
    [
        ("sleep 1000", False, 124),
        ("exit 7", False, 7),
        ("kill -KILL $$", False, 137),
        ("sleep 1000", True, 143),
    ],
    ids=["too long", "fails", "is killed", "bounded is ended"],
)
def test_a_bounded_command_leaves_nothing_running(last: str, kill: bool, status: int) -> None:
    seconds, deaf_to = ("300" if kill else "1"), ("TERM" if status == 124 else "HUP")
    command = [str(BOUNDED), seconds, "bash", "-c", FAMILY.format(last=last, deaf_to=deaf_to)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bounded:
        assert bounded.stdout is not None
        processes = [int(bounded.stdout.readline()) for _ in range(3)]
        if kill:
            bounded.terminate()
        assert bounded.wait(120) == status
    assert not [process for process in processes if is_running(process)]


@pytest.mark.slow
def test_what_tests_start_hears_ctrl_c_though_they_run_in_the_background(tmp_path: Path) -> None:
    program = (
        "import os, signal, subprocess, sys\n"
        "def test_it():\n"
        "    child = [sys.executable, '-c', 'import signal; print(signal.getsignal(2))']\n"
        "    assert b'default_int_handler' in subprocess.check_output(child)\n"
    )
    (tmp_path / "test_one.py").write_text(program)
    ended = run_pytest(tmp_path, prefix=["sh", "-c", 'trap "" INT; exec "$@"', "sh"])
    assert ended.returncode == 0, ended.stdout
