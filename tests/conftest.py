"""Settings that every test shares."""

import os

from hypothesis import HealthCheck, settings

# A shared machine stalls now and then; slowness is pytest-timeout's matter.
settings.register_profile(
    "dev", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# The same examples on every run, so that a red build means a changed program.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
