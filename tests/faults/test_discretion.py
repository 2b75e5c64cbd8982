"""An error about a page or a record says where it is and what it is, never what people wrote."""

import json
import re

import pytest

from postpress_source.api.answers import UnreadableError, decode_page, error_of
from postpress_source.errors import PostpressContractError, PostpressError
from tests.faults.pages import HERE

PERSON = "Jane Doe +44 7700 900123"
QUOTED = json.dumps(PERSON)
TELLTALES = {
    "a record without id": f'{{"items":[{{"name":{QUOTED}}}],"cursor":null}}',
    "a record whose id is no text": f'{{"items":[{{"id":7,"name":{QUOTED}}}],"cursor":null}}',
    "a record that is a text": f'{{"items":[{QUOTED}],"cursor":null}}',
    "a record that is a list": f'{{"items":[[{QUOTED}]],"cursor":null}}',
    "a page that was cut": f'{{"items":[{{"id":"a","name":{QUOTED}}}',
    "a page with an odd byte": f'{{"items":[{{"id":"a","name":{QUOTED}\xff}}],"cursor":null}}',
    "a text": QUOTED,
    "a list": f'[{{"name":{QUOTED}}}]',
    "no cursor": f'{{"items":[{{"id":"a","name":{QUOTED}}}]}}',
    "a cursor that is a list": f'{{"items":[],"cursor":[{QUOTED}]}}',
    "an error beside chats": f'{{"items":[{{"id":"a","name":{QUOTED}}}],"cursor":null,"error":1}}',
    "a detail that is no text": f'{{"status":500,"type":"x","detail":{{"name":{QUOTED}}}}}',
}


@pytest.mark.parametrize("name", TELLTALES)
def test_an_error_says_nothing_of_people(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    body = TELLTALES[name].encode("latin-1")
    with pytest.raises((PostpressError, UnreadableError)) as caught:
        decode_page(body, HERE)
    refused: list[BaseException] = [caught.value]
    bodies = [
        body,
        body[:-4],
        b"\xef\xbb\xbf" + body[:-4],
        body.decode("latin-1").encode("utf-16")[:-4],
    ]
    refused += [error_of(503, shown, HERE) for shown in bodies]
    while refused:
        error = refused.pop()
        told = f"{error!r} {error} {vars(error)} {caplog.text}".replace(" ", "")
        assert "Jane" not in told
        assert "900123" not in told
        refused += [linked for linked in (error.__cause__, error.__context__) if linked]
        if isinstance(error, UnreadableError):
            refused.append(error.lasting)


@pytest.mark.parametrize("body", [b"upstream connect error", b'<h1 class="x">502 Bad Gateway</h1>'])
def test_what_a_proxy_says_is_told(body: bytes) -> None:
    assert error_of(502, body, HERE).detail == body.decode()


def test_an_error_says_enough_to_find_the_record() -> None:
    body = b'{"items":[{"id":"a"},{"name":"Jane","unread":[1]}],"cursor":null}'
    with pytest.raises(PostpressContractError) as caught:
        decode_page(body, HERE)
    assert re.fullmatch(
        r"Record 1 of the page has no id \(28 bytes, sha256 \w{12}\); its fields: name, unread",
        caught.value.summary,
    )
