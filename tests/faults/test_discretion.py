"""An error about a page or a record says where it is and what it is, never what people wrote."""

from __future__ import annotations

import json
import pickle
import re
import traceback
from contextlib import ExitStack
from pathlib import Path

import pytest

from postpress_source.api.answers import UnreadableError, decode_page
from postpress_source.api.refusals import error_of
from postpress_source.errors import PostpressContractError, PostpressError
from tests.faults.asking import fail
from tests.faults.hostile import always, hostile, http
from tests.faults.pages import HERE
from tests.faults.test_key import traces

PERSON = "Jane Doe +44 7700 900123"
QUOTED = json.dumps(PERSON)
RECORD = f'{{"id":"a","name":{QUOTED}}}'
CUT = f'{{"items":[{RECORD[:-1]}'
TELLTALES = {
    "a record without id": f'{{"items":[{{"name":{QUOTED}}}],"cursor":null}}',
    "a record whose id is no text": f'{{"items":[{{"id":7,"name":{QUOTED}}}],"cursor":null}}',
    "a record that is a text": f'{{"items":[{QUOTED}],"cursor":null}}',
    "a record that is a list": f'{{"items":[[{QUOTED}]],"cursor":null}}',
    "a record of names": f'{{"items":[{{{QUOTED}:1,"+447700900123":2}}],"cursor":null}}',
    "a page that was cut": CUT,
    "a page with an odd byte": f'{{"items":[{{"id":"a","name":{QUOTED}\xff}}],"cursor":null}}',
    "a text": QUOTED,
    "a list": f'[{{"name":{QUOTED}}}]',
    "no list, but names": f'{{{QUOTED}:[],"900123":1,"Jane":2}}',
    "no cursor": f'{{"items":[{RECORD}]}}',
    "a cursor that is a list": f'{{"items":[],"cursor":[{QUOTED}]}}',
    "an error beside chats": f'{{"items":[{RECORD}],"cursor":null,"error":1}}',
    "a detail that is no text": f'{{"status":500,"type":"x","detail":{{"name":{QUOTED}}}}}',
    "a detail with a record": f'{{"status":500,"type":"x","detail":{json.dumps(RECORD)}}}',
    "a detail with Python's": f'{{"status":500,"detail":"at {{\'name\': \'{PERSON}\'}}"}}',
    "a detail that names": f'{{"status":500,"type":"x","detail":"The chat with {PERSON} is gone"}}',
    "a title that quotes": '{"status":500,"title":"No chat \\"Jane Doe\\" here","type":"x"}',
    "a title with an address": '{"status":500,"title":"Jane@example.com isn\'t here","type":"x"}',
    "a number for a title": '{"status":500,"title":447700900123,"type":"x"}',
    "a type that is none": f'{{"status":500,"type":{QUOTED},"title":"No"}}',
    "an instance that is none": f'{{"status":500,"instance":{QUOTED},"title":"No"}}',
    "the quickstart's": f'{{"error":{{"code":"x","message":{json.dumps(RECORD)}}}}}',
    "a detail that names only": '{"status":500,"detail":"The chat with Jane Doe is gone"}',
    "a message that names only": '{"error":{"code":"x","message":"Jane Doe is gone"}}',
    "markup around a page": f"<pre>{CUT}</pre>",
    "markup around a number": f"<p>{PERSON}</p>",
    "a debugger's page": "<title>500</title>" + "<p>a line</p>" * 20 + "<p>Jane Doe</p>",
    "a line with a number": f"upstream: no answer to {PERSON}",
}
# of which a part would be one word, as any other word is
NAMES = {
    "markup around a name": "<p>Jane Doe</p>",
    "a line with a name": "blocked: Jane Doe",
    "a line that begins with a name": "Jane Doe is blocked",
}


def parts_of(error: BaseException) -> str:
    """All that can be shown of an error, frames with their variables included."""
    seen: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or each in seen:
            continue
        seen.append(each)
        pending += [each.__cause__, each.__context__, getattr(each, "lasting", None)]
    shown = [f"{each!r} {each} {vars(each)} {each.args}" for each in seen]
    for frame, line in traceback.walk_tb(error.__traceback__):
        if "postpress_source" in frame.f_code.co_filename:
            shown.append(f"{line}: {frame.f_locals!r}")
    return " ".join(shown).replace(" ", "")


def assert_discreet(told: str) -> None:
    for word in ("Jane", "900123"):
        assert word not in told


@pytest.mark.parametrize("name", TELLTALES)
def test_an_error_says_nothing_of_people(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    body = TELLTALES[name].encode("latin-1")
    with pytest.raises((PostpressError, UnreadableError)) as caught:
        decode_page(body, HERE)
    bodies = [
        body,
        body[:-4],
        b"\xef\xbb\xbf" + body[:-4],
        body.decode("latin-1").encode("utf-16")[:-4],
    ]
    refused = [caught.value, *(error_of(503, shown, HERE) for shown in bodies)]
    for error in refused:
        error.__traceback__ = None  # that the client lets no frame out is asked for below
        assert_discreet(parts_of(error) + caplog.text.replace(" ", ""))


WIRE: dict[str, bytes] = {
    "a status line": f"{RECORD}\r\n\r\n".encode(),
    "a status of people": f"HTTP/1.1 {PERSON}\r\n\r\n".encode(),
    "a reason": http(b"{}", f"500 {PERSON}"),
    "a head without an end": f"HTTP/1.1 200 OK\r\n{RECORD}\r\n{RECORD}".encode(),
    "lines that are no headers": f"HTTP/1.1 200 OK\r\n{PERSON}\r\n{RECORD}\r\n\r\n{{}}".encode(),
    "a header": http(b"{}", "500 No", f"x-user: {PERSON}"),
    "a length": http(b"{}", headers=f"content-length: {PERSON}"),
    "an encoding": http(b"{}", headers=f"content-encoding: {PERSON}"),
    "the size of a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    + f"{PERSON}\r\n".encode(),
    "a wait": http(b"{}", "429 No", f"retry-after: {PERSON}"),
    "a redirect's query": http(b"", "302 No", "location: https://x.example/?name=Jane+Doe"),
    "a redirect's path": http(b"", "302 No", "location: https://x.example/chats/Jane"),
    "a redirect's own path": http(b"", "302 No", "location: /chats/Jane%20Doe?900123"),
    "a redirect's user": http(b"", "302 No", "location: https://Jane:900123@x.example/"),
    "a redirect's fragment": http(b"", "302 No", "location: #Jane"),
    "a redirect's words": http(b"", "302 No", f"location: {PERSON}"),
    "gzip that is a page": http(CUT.encode(), headers="content-encoding: gzip"),
    "a cut body": http(CUT.encode())[:-9],
}


@pytest.mark.parametrize("status", ["200 OK", "302 No", "400 No", "403 No", "500 No"])
@pytest.mark.parametrize("name", [*TELLTALES, *NAMES])
def test_a_body_says_nothing_of_people_whatever_is_logged(
    name: str, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert_discreet_answer(http((TELLTALES | NAMES)[name].encode("latin-1"), status), caplog)


@pytest.mark.parametrize("answer", WIRE.values(), ids=WIRE)
def test_the_wire_says_nothing_of_people_whatever_is_logged(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert_discreet_answer(answer, caplog)


def assert_discreet_answer(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with hostile(always(answer)) as server:
        error = fail(server.url, max_attempts=2)
    assert "DEBUG" in caplog.text, "urllib3 did log"
    assert_discreet(parts_of(error) + caplog.text.replace(" ", ""))
    assert_discreet(str(pickle.dumps(error)).replace(" ", ""))


@pytest.mark.slow
def test_a_run_leaves_no_trace_of_people(tmp_path: Path) -> None:
    pages = [TELLTALES["a record without id"], CUT, TELLTALES["markup around a page"]]
    answers = [http(page.encode(), status) for page in pages for status in ("200 OK", "500 No")]
    with ExitStack() as stack:
        servers = [stack.enter_context(hostile(always(answer))) for answer in answers]
        said = traces(tmp_path, *(server.url for server in servers))
    assert said.count("ENDED") == len(answers)
    assert_discreet(said.replace(" ", ""))


TOLD = [
    b"Service Unavailable",
    b"<html><head><title>502</title></head><body><h1>502 Bad Gateway</h1></body></html>",
    b"upstream connect error",
    b'<h1 class="x">502 Bad Gateway</h1>',
    b"no healthy upstream at 192.168.100.12:8443",
]


@pytest.mark.parametrize("body", TOLD)
def test_what_a_proxy_says_is_told(body: bytes) -> None:
    assert error_of(502, body, HERE).detail == body.decode()


WORDS = [
    "The account has to be connected again.",
    '"limit" must be between 1 and 250',
    "after: 2026-05-17T09:42:11.000Z is not a date",
    "See trace 550e8400-e29b-41d4-a716-446655440000",
    "acc_01M84MFG3R4TFF59TDWH9EDD1R isn't connected",
]


@pytest.mark.parametrize("words", WORDS)
def test_the_apis_own_words_are_told(words: str) -> None:
    body = {"detail": words, "instance": "550e8400-e29b-41d4-a716-446655440000", "status": 400}
    error = error_of(400, json.dumps(body).encode(), HERE)
    assert error.detail == words
    assert error.instance == body["instance"]


def test_an_error_says_enough_to_find_the_record() -> None:
    body = b'{"items":[{"id":"a"},{"name":"Jane","unread":[1]}],"cursor":null}'
    with pytest.raises(PostpressContractError) as caught:
        decode_page(body, HERE)
    assert re.fullmatch(
        r"Record 1 of the page has no id \(28 bytes, sha256 \w{12}\); its fields: name, unread",
        caught.value.summary,
    )


def test_fields_that_are_names_are_counted() -> None:
    body = b'{"items":[{"name":"Jane","Jane Doe":1,"+44 7700":2}],"cursor":null}'
    with pytest.raises(PostpressContractError, match="its fields: name, 2 more"):
        decode_page(body, HERE)
