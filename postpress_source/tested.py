"""The dlt that the tests have passed on, and a word to whoever runs another."""

from __future__ import annotations

import functools
import logging
from importlib.metadata import version
from typing import Final

NEWEST_DLT: Final = (1, 31)
"""Newest minor of dlt that the whole suite has passed on: the lock's."""

logger = logging.getLogger("postpress_source")


@functools.cache  # once a process; a scheduler that runs for days needn't repeat it
def warn_of_untested_dlt() -> None:
    """Log one warning if the dlt installed is of a later minor than any that was tested.

    The source relies on parts of dlt that a minor may change, and can't know that none did.
    """
    major, minor, *_ = version("dlt").split(".")
    if (int(major), int(minor)) > NEWEST_DLT:
        logger.warning(
            "dlt %s is newer than %d.%d, the newest that this postpress_source was tested with. If "
            "anything looks wrong, look for a newer postpress-source, or take dlt<%d.%d.",
            version("dlt"),
            *NEWEST_DLT,
            NEWEST_DLT[0],
            NEWEST_DLT[1] + 1,
        )
