"""Faults, seen from the client's side of the wire."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import urllib3

from postpress_source.sandbox import Fault, Sandbox, generate_world, serve
from postpress_source.sandbox.faults import Kind

Get = Callable[..., urllib3.BaseHTTPResponse]
NOW = datetime(2026, 5, 17, 9, 42, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with serve(generate_world(50, 2, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.reset(generate_world(50, 2, now=NOW))
    return server


@pytest.fixture
def get(sandbox: Sandbox) -> Iterator[Get]:
    with urllib3.PoolManager(retries=False, headers={"X-API-KEY": "pp_live_x"}) as pool:

        def get(path: str = "/chats", **fields: str) -> urllib3.BaseHTTPResponse:
            request = {"limit": "10", **fields}
            url = sandbox.url + path
            return pool.request("GET", url, fields=request, redirect=False, decode_content=False)

        yield get


def break_once(sandbox: Sandbox, kind: Kind, **more: Any) -> Fault:
    return sandbox.faults.add(Fault(kind=kind, **more))


def test_the_server_is_well_again_after_every_kind_of_fault(sandbox: Sandbox, get: Get) -> None:
    kinds: dict[Kind, dict[str, Any]] = {
        "status": {}, "redirect": {"location": "http://x.invalid/"}, "close": {}, "truncate": {},
        "bad_json": {}, "empty_body": {}, "slow": {"delay": timedelta(milliseconds=1)}, "drip": {},
        "error_200": {}, "no_list": {}, "list_not_list": {}, "record_without_id": {},
        "no_cursor": {}, "cycle_cursor": {}, "endless": {}, "deep": {}, "huge": {"megabytes": 1},
        "gzip": {}, "edit": {"edit": lambda page: page},
    }  # fmt: skip
    for kind, more in kinds.items():
        fault = break_once(sandbox, kind, **more)
        try:
            get()
        except urllib3.exceptions.HTTPError:
            assert kind in ("close", "truncate")
        assert fault.hits == 1
        assert get().json()["items"] == sandbox.world.relist()[:10]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 504])
def test_a_status_comes_with_the_documented_envelope(
    sandbox: Sandbox, get: Get, status: int
) -> None:
    break_once(sandbox, "status", status=status)
    answer = get()
    assert answer.status == answer.json()["status"] == status
    assert sandbox.requests[-1].status == status


def test_a_gateway_answers_in_html(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "status", status=502)
    answer = get()
    assert (answer.status, answer.headers["content-type"]) == (502, "text/html")
    assert answer.data.startswith(b"<html>")


def test_any_body_and_headers(sandbox: Sandbox, get: Get) -> None:
    headers = {"x-odd": "1", "content-type": "text/plain"}
    break_once(sandbox, "status", status=418, body="short and stout", headers=headers)
    answer = get()
    assert (answer.status, answer.data) == (418, b"short and stout")
    assert (answer.headers["x-odd"], answer.headers["content-type"]) == ("1", "text/plain")


def test_retry_after_in_all_its_forms(sandbox: Sandbox, get: Get) -> None:
    wait = timedelta(seconds=6, milliseconds=500)
    for form in ("seconds", "date", "reset"):
        break_once(sandbox, "status", status=429, retry_after=wait, retry_form=form)
    start = datetime.now(UTC)
    seconds, date, reset, well = get(), get(), get(), get()
    assert seconds.headers["retry-after"] == "7"
    until = parsedate_to_datetime(date.headers["retry-after"])
    assert start + wait <= until <= datetime.now(UTC) + wait + timedelta(seconds=1)
    assert reset.headers["x-ratelimit-reset"] == "7"
    assert "retry-after" not in reset.headers
    assert well.status == 200
    break_once(sandbox, "status", status=429)
    assert not {"retry-after", "x-ratelimit-reset"} & {name.lower() for name in get().headers}


def test_close_gives_no_byte_of_an_answer(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "close")
    with pytest.raises(urllib3.exceptions.ProtocolError, match=r"Remote|reset"):
        get()
    assert sandbox.requests[-1].status is None


def test_truncate_promises_more_than_it_sends(sandbox: Sandbox, get: Get) -> None:
    whole = get().data
    break_once(sandbox, "truncate")
    with pytest.raises(urllib3.exceptions.ProtocolError) as broken:
        get()
    cut = broken.value.args[1]
    assert cut.partial == whole[: len(whole) // 2]
    assert cut.expected == len(whole) - len(whole) // 2


def test_bad_json_is_complete_http(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "bad_json")
    answer = get()
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_empty_body(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "empty_body")
    answer = get()
    assert (answer.status, answer.data) == (200, b"")


def test_slow_waits_before_the_headers_and_drip_between_pieces(sandbox: Sandbox, get: Get) -> None:
    truth = get().data
    delays: dict[Kind, int] = {"slow": 200, "drip": 25}
    for kind, delay in delays.items():
        break_once(sandbox, kind, delay=timedelta(milliseconds=delay))
        start = time.monotonic()
        assert get().data == truth
        assert time.monotonic() - start >= 0.2


def test_bodies_that_are_not_the_page(sandbox: Sandbox, get: Get) -> None:
    truth = get().json()
    for kind in ("error_200", "no_list", "list_not_list", "record_without_id", "no_cursor"):
        break_once(sandbox, kind)
    error, no_list, not_list, without_id, no_cursor = (get() for _ in range(5))
    assert {answer.status for answer in (error, no_list, not_list, without_id)} == {200}
    assert error.json()["type"] == "errors/unexpected_error"
    assert no_list.json() == {"object": "ChatList", "cursor": truth["cursor"]}
    assert isinstance(not_list.json()["items"], dict)
    records = without_id.json()["items"]
    assert "id" not in records[0]
    assert records[1:] == truth["items"][1:]
    assert no_cursor.json().keys() == {"object", "items"}


def test_faults_know_the_other_envelope(sandbox: Sandbox, get: Get) -> None:
    sandbox.reset(generate_world(50, 2, now=NOW, envelope="data", error_envelope="nested"))
    for kind in ("no_list", "no_cursor", "error_200"):
        break_once(sandbox, kind)
    assert get().json().keys() == {"next_cursor"}
    assert get().json().keys() == {"data"}
    assert get().json()["error"]["code"] == "errors/unexpected_error"


def walk_cursors(get: Get, pages: int) -> list[str]:
    cursors = [get().json()["cursor"]]
    while len(cursors) < pages and cursors[-1] is not None:
        cursors.append(get(cursor=cursors[-1]).json()["cursor"])
    return cursors


def test_a_repeated_cursor(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "repeat_cursor", times=None)
    first, *others = walk_cursors(get, 4)
    assert others == [first] * 3


def test_a_cyclic_cursor(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "cycle_cursor", page=4, times=None)
    cursors = walk_cursors(get, 9)
    assert cursors == cursors[:3] * 3
    assert len(set(cursors)) == 3


def test_an_endless_list_never_repeats_a_cursor(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "endless", times=None)
    cursors = walk_cursors(get, 17)
    assert len(set(cursors)) == 17
    assert None not in cursors


def test_a_redirect(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "redirect", status=307, location="https://elsewhere.invalid/v1/chats")
    answer = get()
    assert (answer.status, answer.headers["location"]) == (
        307,
        "https://elsewhere.invalid/v1/chats",
    )


def test_deep_and_huge_bodies(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "deep", depth=50_000)
    assert get().data.count(b"[") == 50_001
    truth = get().json()
    break_once(sandbox, "huge", megabytes=3)
    page = get().json()
    assert len(page.pop("padding")) == 3_000_000
    assert page == truth


def test_a_gzipped_page(sandbox: Sandbox, get: Get) -> None:
    truth = get().data
    break_once(sandbox, "gzip")
    answer = get()
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.data) == truth


def test_an_edit_of_ones_own(sandbox: Sandbox, get: Get) -> None:
    break_once(sandbox, "edit", edit=lambda page: page | {"cursor": 5})
    break_once(sandbox, "edit", edit=lambda page: b"\xff")
    assert get().json()["cursor"] == 5
    assert get().data == b"\xff"


def test_a_fault_meets_only_what_it_is_meant_for(sandbox: Sandbox, get: Get) -> None:
    account = next(iter(sandbox.world.accounts))
    faults = [
        Fault(status=500, request=2),
        Fault(status=501, page=2, times=2),
        Fault(status=503, account_id=account, times=None),
        Fault(status=504, path="/sync"),
        Fault(status=505, when=lambda request: request.query.get("limit") == "3"),
    ]
    for fault in faults:
        sandbox.faults.add(fault)
    cursor = get().json()["cursor"]
    statuses = [
        get().status,
        *(get(cursor=cursor).status for _ in range(3)),
        get(account_id=f"other,{account}").status,
        get(account_id="other").status,
        get(account_id=account).status,
        get("/chats/x/sync").status,
        get(limit="3").status,
        get(limit="3").status,
    ]
    assert statuses == [500, 501, 501, 200, 503, 200, 503, 504, 505, 200]
    assert [fault.hits for fault in faults] == [1, 2, 2, 1, 1]


def test_the_account_of_a_walk_is_known_on_its_cursor_pages_too(sandbox: Sandbox, get: Get) -> None:
    account = next(iter(sandbox.world.accounts))
    cursor = get(account_id=account).json()["cursor"]
    sandbox.faults.add(Fault(status=503, account_id=account))
    assert get(cursor=cursor).status == 503


def test_a_fault_that_could_do_nothing_is_refused() -> None:
    for kind in ("redirect", "edit", "slow"):
        with pytest.raises(ValueError, match=kind):
            Fault(kind=kind)
