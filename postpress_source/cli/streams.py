"""Standard output and error that never end the work, whatever becomes of them.

`postpress run | head` closes the pipe, `>&-` the stream itself, and a disk can be full. What is
written is about the work, so it must not abort it; nor may an exit code speak of the pipe.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any


def use_sturdy_streams() -> None:
    """Put them in the place of this process's own: for prints of dlt's, too."""
    _fill_closed_descriptors()
    if sys.stdout is not None:  # None: it was closed when Python started
        sys.stdout = Sturdy(sys.stdout)
    if sys.stderr is not None:
        sys.stderr = Sturdy(sys.stderr)


class Sturdy:
    """A stream that takes what is written to it also where it can't be written any more.

    Args:
        stream: One with a file descriptor.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """All else is the stream's own."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or leave it."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or leave it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Let all that comes, and what is in the buffer, go nowhere; say why, if that is news."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if error.errno != errno.EPIPE and sys.stderr is not None and sys.stderr is not self:
            sys.stderr.write(f"! Output is lost: {error.strerror}\n")


def _fill_closed_descriptors() -> None:
    """Else the next file that is opened, such as DuckDB's, is standard output to what is in C."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    while nowhere <= 2:  # it takes the lowest that is free
        nowhere = os.open(os.devnull, os.O_RDWR)
    os.close(nowhere)
