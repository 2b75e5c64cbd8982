"""Faults that last: the run ends soon, with an error that says who must act and how."""

from __future__ import annotations

import itertools
import pickle
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dlt.common.exceptions import TerminalException, TransientException
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.helpers import retry_load

from postpress_source import (
    PostpressAccountError,
    PostpressAuthError,
    PostpressContractError,
    PostpressError,
    PostpressRequestError,
    PostpressUnavailableError,
)
from postpress_source.api.refusals import Place, error_of
from postpress_source.errors import DOCUMENTED_ERRORS
from postpress_source.sandbox import DOCUMENTED, Fault
from tests.faults.conftest import KEY, MIDDLE, Inbox
from tests.faults.hostile import Answer, always, hostile

ATTEMPTS = 3
YOU_THE_KEY = {
    "missing_credentials",
    "invalid_credentials",
    "insufficient_privileges",
    "insufficient_permissions",
}
NOBODY = {
    "unexpected_error",
    "provider_error",
    "no_client_session",
    "no_channel",
    "no_handler",
    "network_down",
    "service_unavailable",
    "request_timeout",
}


def expected_class(error_type: str) -> type[PostpressError]:
    name = error_type.removeprefix("errors/")
    if name in YOU_THE_KEY:
        return PostpressAuthError
    return PostpressUnavailableError if name in NOBODY else PostpressAccountError


@pytest.fixture(autouse=True)
def few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", str(ATTEMPTS))


def flat(error_type: str | None, status: int) -> dict[str, Any]:
    return {
        "title": "The title",
        "detail": "The detail of it.",
        "instance": "req_instance",
        "type": error_type,
        "status": status,
    }


def test_the_31_documented_types_are_all_known() -> None:
    assert {known.type: known.status for known in DOCUMENTED_ERRORS} == {
        error_type: status for error_type, (status, _) in DOCUMENTED.items()
    }
    assert len(DOCUMENTED_ERRORS) == 31


@pytest.mark.parametrize("error_type", DOCUMENTED)
def test_a_documented_error_is_classed_told_and_marked(inbox: Inbox, error_type: str) -> None:
    status = DOCUMENTED[error_type][0]
    inbox.break_pages(MIDDLE, status=status, body=flat(error_type, status), times=None)
    with pytest.raises(PipelineStepFailed) as caught:
        inbox.run()
    error = caught.value.__context__
    assert type(error) is expected_class(error_type)
    assert isinstance(error, PostpressError)
    text = str(error)
    for part in (
        "GET /chats, page 3",
        str(status),
        error_type,
        "The title",
        "The detail of it.",
        "req_instance",
        f"Next: {error.next_step}",
    ):
        assert part in text
    assert len(error.next_step) > 20
    transient = isinstance(error, PostpressUnavailableError)
    assert retry_load(("extract",))(caught.value) is transient
    assert isinstance(error, TransientException) is transient
    assert isinstance(error, TerminalException) is not transient
    assert len(inbox.sandbox.requests) == MIDDLE - 1 + (ATTEMPTS if status >= 500 else 1)


@pytest.mark.parametrize("known", DOCUMENTED_ERRORS, ids=lambda known: known.type)
@pytest.mark.parametrize("prefix", ["errors/", "", "https://api.postpress.ai/errors/"])
def test_the_quickstarts_envelope_means_the_same(known: Any, prefix: str) -> None:
    name = known.type.removeprefix("errors/")
    body = f'{{"error":{{"code":"{prefix}{name}","message":"Why","request_id":"req_1"}}}}'
    error = error_of(known.status, body.encode(), Place("GET /chats, page 1"))
    assert type(error) is known.error
    assert error.next_step == known.next_step
    assert error.title == "Why"
    assert error.instance == "req_1"


UNKNOWN: list[tuple[int, type[PostpressError]]] = [
    (400, PostpressRequestError),
    (401, PostpressAuthError),
    (402, PostpressRequestError),
    (403, PostpressAccountError),
    (404, PostpressRequestError),
    (405, PostpressRequestError),
    (418, PostpressRequestError),
    (422, PostpressRequestError),
    (429, PostpressUnavailableError),
    (501, PostpressUnavailableError),
    (503, PostpressUnavailableError),
    (599, PostpressUnavailableError),
    (204, PostpressContractError),
    (206, PostpressContractError),
    (304, PostpressContractError),
]


@pytest.mark.parametrize(("status", "expected"), UNKNOWN)
def test_an_unknown_type_is_classed_by_its_status(
    inbox: Inbox, status: int, expected: type[PostpressError]
) -> None:
    inbox.sandbox.faults.add(
        Fault(
            status=status,
            times=None,
            body=b"" if status in (204, 304) else flat("errors/never_heard_of", status),
        )
    )
    error = inbox.fail()
    assert type(error) is expected
    assert error.status == status
    assert error.error_type == (None if status in (204, 304) else "errors/never_heard_of")
    assert len(inbox.sandbox.requests) == (ATTEMPTS if status == 429 or status >= 500 else 1)


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"\xff\x00", b'["x"]', b'{"error":1}'])
@pytest.mark.parametrize(("status", "expected"), [UNKNOWN[1], UNKNOWN[3], UNKNOWN[4], UNKNOWN[10]])
def test_any_body_of_an_error_is_survived(
    body: bytes, status: int, expected: type[PostpressError]
) -> None:
    error = error_of(status, body, Place("GET /chats, page 1"))
    assert type(error) is expected
    assert str(status) in str(error)


def drip(piece: bytes) -> Iterator[bytes]:
    for _ in itertools.count():
        time.sleep(0.02)
        yield piece


def silence() -> Iterator[bytes]:
    time.sleep(60)
    yield b""


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
NEVER_ENDING: dict[str, Answer] = {
    "closes": always(),
    "silence": lambda request: silence(),
    "status line": lambda request: drip(b"H"),
    "headers": lambda request: itertools.chain([HEAD], drip(b"x")),
    "continue": lambda request: drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": lambda request: drip(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
    "body": lambda request: itertools.chain([HEAD + b"\r\n"], drip(b" ")),
    "chunk size": lambda request: itertools.chain(
        [HEAD + b"transfer-encoding: chunked\r\n\r\n"], drip(b"0")
    ),
    "gzip": lambda request: itertools.chain(
        [HEAD + b"content-encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0"], drip(b"n")
    ),
    "not HTTP": always(b"SSH-2.0-OpenSSH_9\r\n"),
    "cut": always(HEAD + b"content-length: 500\r\n\r\n{"),
    "not gzip": always(HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("answer", NEVER_ENDING.values(), ids=NEVER_ENDING)
def test_no_server_holds_a_run_longer_than_its_attempts(
    inbox: Inbox, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME__REQUEST_TIMEOUT", "1")
    with hostile(answer) as server:
        start = time.monotonic()
        error = inbox.fail(base_url=server.url)
        assert time.monotonic() - start < 60, "the silence is as long"
        server.wait_for(ATTEMPTS)
    assert type(error) is PostpressUnavailableError
    assert f"No whole answer from 127.0.0.1:{server.port}" in str(error)
    assert "0x" not in str(error)


def test_a_refused_connection_is_an_error_that_names_the_host(inbox: Inbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    error = inbox.fail(base_url=f"http://127.0.0.1:{port}/v1")
    assert type(error) is PostpressUnavailableError
    assert f"127.0.0.1:{port}" in str(error)
    assert "Connection refused" in str(error)


def test_a_failed_run_changes_neither_table_nor_state(inbox: Inbox) -> None:
    inbox.run()
    before = inbox.everything()
    world = inbox.sandbox.world
    for chat_id in inbox.listed()[:7]:
        world.receive_message(chat_id)
    faults: list[dict[str, Any]] = [
        {"status": 500},
        {"status": 401},
        {"kind": "bad_json"},
        {"kind": "no_cursor"},
        {"kind": "no_list"},
        {"kind": "record_without_id"},
    ]
    for fault in faults:
        inbox.sandbox.faults.clear()
        inbox.break_pages(MIDDLE, times=None, **fault)
        inbox.fail(full_walk_every="PT0S")
        assert inbox.everything() == before
    inbox.sandbox.faults.clear()
    inbox.run()
    unread = {chat["id"]: chat["unread_count"] for chat in world.relist()}
    assert dict(inbox.query("SELECT id, unread_count FROM chats")) == unread


def test_a_refused_cursor_restarts_the_walk_once_and_loses_nothing(inbox: Inbox) -> None:
    inbox.break_pages(MIDDLE, status=400, times=2)
    inbox.run()
    assert inbox.ids() == inbox.listed()


def test_a_cursor_refused_again_is_an_error(inbox: Inbox) -> None:
    inbox.break_pages(MIDDLE, status=400, times=None)
    error = inbox.fail()
    assert isinstance(error, PostpressRequestError)
    assert "refused the cursor" in str(error)
    assert len(inbox.sandbox.requests) == 2 * (MIDDLE + 1), "with the filters, and alone"


# --- 401 and 403: the key, or one account -----------------------------------------------------


def accounts_of(inbox: Inbox) -> list[str]:
    return sorted(inbox.sandbox.world.accounts)


def test_a_refused_key_costs_one_request(inbox: Inbox) -> None:
    inbox.sandbox.api_key = "pp_live_another"
    error = inbox.fail()
    assert type(error) is PostpressAuthError
    assert "SOURCES__POSTPRESS__API_KEY" in error.next_step
    assert len(inbox.sandbox.requests) == 1
    assert inbox.sandbox.requests[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize(
    ("error_type", "status"),
    [("errors/disconnected_account", 401), ("errors/account_restricted", 403), ("errors/new", 403)],
)
def test_a_sick_account_is_skipped_and_the_others_land(
    inbox: Inbox, error_type: str, status: int
) -> None:
    well, sick = accounts_of(inbox)
    inbox.sandbox.faults.add(
        Fault(account_id=sick, status=status, body=flat(error_type, status), times=None)
    )
    inbox.run(account_id=[well, sick])
    rows = inbox.query("SELECT DISTINCT account_id FROM chats")
    assert rows == [(well,)]
    ledger = inbox.ledger("account_id, complete, error_type, next_step, requests")
    by_account = {row[0]: row[1:] for row in ledger}
    assert by_account[well][:3] == (True, None, None)
    assert by_account[sick][:2] == (False, error_type)
    assert by_account[sick][3] == 1
    assert by_account[sick][2]
    inbox.sandbox.faults.clear()
    inbox.run(account_id=[well, sick])
    assert inbox.ids() == inbox.listed()


def test_a_key_refused_for_one_account_costs_that_account_and_for_all_the_run(
    inbox: Inbox,
) -> None:
    sick, well = accounts_of(inbox)
    body = flat("errors/invalid_credentials", 401)
    inbox.sandbox.faults.add(Fault(account_id=sick, status=401, body=body, times=None))
    inbox.run(account_id=[sick, well])
    assert inbox.query("SELECT DISTINCT account_id FROM chats") == [(well,)]
    inbox.sandbox.faults.add(Fault(status=401, body=body, times=None))
    assert type(inbox.fail(account_id=[sick, well])) is PostpressAuthError


def test_if_every_account_is_sick_the_run_fails(inbox: Inbox) -> None:
    body = flat("errors/expired_credentials", 401)
    inbox.sandbox.faults.add(Fault(status=401, body=body, times=None))
    error = inbox.fail(account_id=accounts_of(inbox))
    assert type(error) is PostpressAccountError
    for account in accounts_of(inbox):
        assert account in str(error)


def test_a_key_that_is_refused_ends_the_run_without_waiting_for_accounts_that_are_down(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "600")  # the other account waits long
    down, other = accounts_of(inbox)
    inbox.sandbox.faults.add(Fault(account_id=down, status=503, times=None))
    body = flat("errors/invalid_credentials", 401)
    inbox.sandbox.faults.add(Fault(status=401, body=body, times=None))
    start = time.monotonic()
    assert type(inbox.fail(account_id=[down, other])) is PostpressAuthError
    assert time.monotonic() - start < 150, "300 s, halved at most by jitter, are waited otherwise"


def test_errors_survive_pickling_with_all_they_say(inbox: Inbox) -> None:

    inbox.sandbox.faults.add(Fault(status=403, body=flat("errors/wrong_account", 401), times=None))
    error = inbox.fail()
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)
