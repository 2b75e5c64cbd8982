"""A server below HTTP: it keeps every byte that it is sent, and answers with any bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.waiting import wait_for

Answer = Callable[[bytes], Iterable[bytes]]
"""From a request's bytes to the pieces of its answer; after them the connection is closed."""


@dataclass
class Hostile:
    """What it answers, where it is, and the requests it got.

    Attributes:
        answer: May be replaced at any time.
        received: The head of each request, as it came.
        sent_bytes: How much of all answers went out.
    """

    answer: Answer
    port: int = 0
    received: list[bytes] = field(default_factory=list)
    sent_bytes: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.origin + "/v1"

    def wait_for(self, requests: int) -> None:
        """Wait until exactly so many have come; what was sent is read sooner or later."""
        wait_for(lambda: len(self.received) >= requests, f"{requests} requests", pause=0.01)
        assert len(self.received) == requests

    def serve_one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    break
                head += piece
            self.received.append(head)
            for piece in self.answer(head):
                connection.sendall(piece)
                self.sent_bytes += len(piece)


@contextmanager
def hostile(answer: Answer) -> Iterator[Hostile]:
    server = Hostile(answer)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(
                        target=server.serve_one, args=(connection,), daemon=True
                    ).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def http(
    body: bytes, status: str = "200 OK", headers: str = "content-type: application/json"
) -> bytes:
    """A whole answer."""
    head = f"HTTP/1.1 {status}\r\n{headers}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def always(*pieces: bytes) -> Answer:
    """The same answer to every request."""
    return lambda request: pieces
