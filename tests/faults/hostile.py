"""Servers below HTTP: each keeps every byte that it is sent, and answers with any bytes.

One speaks TLS where it is given a certificate; one is a proxy that knows all hosts.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from tests.waiting import wait_for

Answer = Callable[[bytes], Iterable[bytes]]
"""From a request's bytes to the pieces of its answer; after them the connection is closed."""
CLOSE = "connection: close"
TLS_HANDSHAKE = b"\x16"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class Hostile:
    """What it answers, where it is, and the requests it got.

    Attributes:
        answer: May be replaced at any time.
        received: The head of each request, as it came.
        sent_bytes: How much of all answers went out.
        connections: How many were made, heard or not.
        tls: What it shows before it reads; None: it speaks plain HTTP.
        leads_to: For a proxy: the port where each tunnel ends, if the answer is a 200.
        keeps_connections: Whether it answers several requests on one.
    """

    answer: Answer
    port: int = 0
    received: list[bytes] = field(default_factory=list)
    sent_bytes: int = 0
    connections: int = 0
    tls: ssl.SSLContext | None = None
    leads_to: int | None = None
    keeps_connections: bool = False

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
        self.connections += 1
        with ExitStack() as stack, suppress(OSError):
            stack.enter_context(connection).settimeout(10)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                stack.enter_context(connection)
            self._answer_one(connection)
            while self.keeps_connections:
                self._answer_one(connection)
            if self.leads_to:
                with socket.create_connection(("127.0.0.1", self.leads_to)) as other:
                    _join(connection, other)
            if isinstance(connection, ssl.SSLSocket):
                connection.unwrap()

    def _answer_one(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and not head.startswith(TLS_HANDSHAKE):
            piece = connection.recv(65536)
            if not piece and self.keeps_connections:
                raise ConnectionResetError
            if not piece:
                break
            head += piece
        self.received.append(head)
        for piece in self.answer(head):
            connection.sendall(piece)
            self.sent_bytes += len(piece)


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side has no more; over TLS what is buffered is asked for."""
    ways = {one: other, other: one}
    while True:
        waiting = [side for side in ways if isinstance(side, ssl.SSLSocket) and side.pending()]
        for side in waiting or select.select([*ways], [], [], 10)[0]:
            piece = side.recv(65536)
            if not piece:
                return
            ways[side].sendall(piece)


@contextmanager
def hostile(
    answer: Answer, tls: ssl.SSLContext | None = None, leads_to: int | None = None
) -> Iterator[Hostile]:
    server = Hostile(answer, tls=tls, leads_to=leads_to)
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
    """A whole answer, after which the connection is closed."""
    lines = (f"HTTP/1.1 {status}", headers, f"content-length: {len(body)}", CLOSE, "\r\n")
    return "\r\n".join(lines).encode() + body


def always(*pieces: bytes) -> Answer:
    """The same answer to every request."""
    return lambda request: pieces
