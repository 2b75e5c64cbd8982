"""Settings that every test shares."""

import os
import signal
from random import SystemRandom

import pytest
from hypothesis import HealthCheck, settings

# Who starts the tests in the background (nohup, some CIs) has SIGINT ignored, and so would have all
# that a test starts: unlike a handler, that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What a run of the tests chooses anew: the same in all its workers, and given again to repeat it.
os.environ.setdefault("PROOF_SEED", str(SystemRandom().randrange(10**6)))

# A shared machine stalls now and then; slowness is the watchdog's matter.
settings.register_profile(
    "dev", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# The same examples on every run, so that a red build means a changed program.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_report_header() -> str:
    """How to have the same choice again."""
    return f"PROOF_SEED={os.environ['PROOF_SEED']}"


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """End the run when a worker has died; the others may wait for it for ever."""
    pytest.exit(f"A worker died in {crashitem}", returncode=1)
