"""The served API, asked over real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3

from postpress_source.sandbox import (
    RateLimit,
    Sandbox,
    World,
    WorldOptions,
    generate_world,
    serve,
)
from postpress_source.sandbox.problems import DOCUMENTED

NOW = datetime(2026, 5, 17, 9, 42, 11, tzinfo=UTC)
Get = Callable[..., urllib3.BaseHTTPResponse]
KEY = {"X-API-KEY": "pp_live_x"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(World()) as sandbox:
        yield sandbox


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    sandbox.reset(generate_world(60, 3, now=NOW))
    return sandbox.world


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


@pytest.fixture
def get(sandbox: Sandbox, http: urllib3.PoolManager) -> Get:
    def get(
        path: str = "/chats", headers: dict[str, str] = KEY, **fields: str
    ) -> urllib3.BaseHTTPResponse:
        return http.request("GET", sandbox.url + path, fields=fields, headers=headers)

    return get


def test_a_page_is_as_documented(world: World, get: Get) -> None:
    answer = get(limit=10)
    page = answer.json()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(page) == ["object", "items", "cursor"]
    assert page["object"] == "ChatList"
    assert page["items"] == world.relist()[:10]


def test_both_documented_paths_serve_it(
    world: World, get: Get, http: urllib3.PoolManager, sandbox: Sandbox
) -> None:
    under_api = sandbox.url.removesuffix("/v1") + "/api/v1/chats?limit=3"
    assert http.request("GET", under_api, headers=KEY).json() == get(limit=3).json()


def test_a_walk_over_http_gives_everything(world: World, get: Get) -> None:
    page = get(limit=7, account_type="LINKEDIN", unread="false").json()
    seen = page["items"]
    while page["cursor"]:
        page = get(cursor=page["cursor"]).json()
        seen += page["items"]
    assert seen == world.relist(account_type="LINKEDIN", unread=False)
    assert len(seen) > 14


def test_other_parameters_are_ignored_beside_a_cursor(world: World, get: Get) -> None:
    cursor = get(limit=7).json()["cursor"]
    plain = get(cursor=cursor).json()
    assert get(cursor=cursor, limit="x", unread="x", account_id="").json() == plain
    assert len(plain["items"]) == 7


def test_the_default_limit_is_100(sandbox: Sandbox, get: Get) -> None:
    sandbox.reset(generate_world(120, 1, now=NOW))
    assert len(get().json()["items"]) == 100
    assert len(get(limit=250).json()["items"]) == 120


def test_filters_narrow_the_list(world: World, get: Get) -> None:
    ids = list(world.accounts)
    bound = world.relist()[20]["timestamp"]
    moment = datetime.fromisoformat(bound)
    pairs: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({"account_id": ids[1]}, {"account_id": ids[1]}),
        ({"account_id": f"{ids[2]},{ids[0]}"}, {"account_id": [ids[0], ids[2]]}),
        ({"unread": "true"}, {"unread": True}),
        ({"before": bound}, {"before": moment}),
        ({"after": bound}, {"after": moment}),
    ]
    for sent, asked in pairs:
        items = get(limit=250, **sent).json()["items"]
        assert items == world.relist(**asked)
        assert 0 < len(items) < 60
    assert get(account_id="acc_unknown").json() == {
        "object": "ChatList",
        "items": [],
        "cursor": None,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("limit", value) for value in ("0", "251", "-1", "1.0", "ten", "", " 5", "٣", "1e1")],
        *[("unread", value) for value in ("True", "1", "yes", "")],
        *[("account_type", value) for value in ("linkedin", "EMAIL", "", "LINKEDIN,SLACK")],
        *[("account_id", value) for value in ("", ",", "a,", "a,,b", "a, b")],
        *[("cursor", value) for value in ("", "null", "eyJhIjoxfQ==")],
        *[
            (name, value)
            for name in ("before", "after")
            for value in (
                "", "2026-05-17", "2026-05-17T09:42:11Z", "2026-05-17T09:42:11.000+00:00",
                "2026-05-17T09:42:11.000000Z", "2026-02-30T09:42:11.000Z", "1747474931000",
                "2026-05-17 09:42:11.000Z",
            )
        ],
    ],
)  # fmt: skip
def test_a_parameter_not_as_documented_is_refused(
    world: World, get: Get, name: str, value: str
) -> None:
    answer = get(**{name: value})
    error = answer.json()
    assert answer.status == error["status"] == 400
    assert error["type"] == "errors/invalid_parameters"
    assert error["detail"].startswith(f"{name}:")
    assert error.keys() == {"title", "detail", "instance", "type", "status"}


def test_a_parameter_sent_twice_is_refused(
    world: World, sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    url = f"{sandbox.url}/chats?limit=1&limit=2"
    assert http.request("GET", url, headers=KEY).status == 400


def test_unknown_parameters_are_ignored_or_refused(
    world: World, sandbox: Sandbox, get: Get
) -> None:
    assert get(page="2").status == 200
    sandbox.reset(World(WorldOptions(unknown_parameters="refused")))
    assert get(page="2").status == 400


@pytest.mark.parametrize(
    ("headers", "status", "type"),
    [
        ({}, 401, "errors/missing_credentials"),
        ({"X-API-KEY": ""}, 401, "errors/missing_credentials"),
        ({"Authorization": "Basic pp_live_x"}, 401, "errors/missing_credentials"),
        ({"X-API-KEY": "sk_live_x"}, 401, "errors/invalid_credentials"),
        (
            {"X-API-KEY": "bad", "Authorization": "Bearer pp_live_x"},
            401,
            "errors/invalid_credentials",
        ),
        ({"X-API-KEY": "pp_test_x"}, 200, None),
        ({"Authorization": "Bearer pp_test_x"}, 200, None),
    ],
)
def test_keys(world: World, get: Get, headers: dict[str, str], status: int, type: str) -> None:
    answer = get(headers=headers)
    assert (answer.status, answer.json().get("type")) == (status, type)


def test_one_key_only_if_told_so(http: urllib3.PoolManager) -> None:
    with serve(World(), api_key="pp_live_mine") as sandbox:
        url = f"{sandbox.url}/chats"
        assert sandbox.key == "pp_live_mine"
        for key, status in (("pp_live_mine", 200), ("pp_live_other", 401)):
            assert http.request("GET", url, headers={"X-API-KEY": key}).status == status


@pytest.mark.parametrize("type", sorted(DOCUMENTED))
def test_a_sick_account_answers_with_its_documented_error(
    world: World, get: Get, type: str
) -> None:
    account = next(iter(world.accounts))
    world.disconnect_account(account, type)
    answer = get(account_id=account)
    error = answer.json()
    assert (error["type"], error["status"], answer.status) == (type, *[DOCUMENTED[type][0]] * 2)
    world.heal_account(account)
    assert get(account_id=account).status == 200


def test_the_documented_types_are_31_under_their_statuses() -> None:
    statuses = [status for status, _ in DOCUMENTED.values()]
    counts = {status: statuses.count(status) for status in statuses}
    assert counts == {401: 13, 403: 9, 500: 3, 503: 5, 504: 1}


def test_the_other_envelopes(sandbox: Sandbox, get: Get) -> None:
    sandbox.reset(generate_world(5, 1, now=NOW, envelope="data", error_envelope="nested"))
    page = get(limit=2).json()
    assert list(page) == ["data", "next_cursor"]
    assert get(cursor=page["next_cursor"]).json()["data"] == sandbox.world.relist()[2:4]
    error = get(headers={}).json()["error"]
    assert error.keys() == {"code", "message", "request_id"}
    assert error["code"] == "errors/missing_credentials"


def test_no_such_path_and_no_such_method(
    world: World, sandbox: Sandbox, get: Get, http: urllib3.PoolManager
) -> None:
    assert get("/nothing").json()["type"] == "errors/resource_not_found"
    assert get("/chats/").status == 404
    answer = http.request("POST", f"{sandbox.url}/chats", headers=KEY)
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


def test_every_request_is_recorded(world: World, sandbox: Sandbox, get: Get) -> None:
    get(limit=3, after="2026-05-17T09:42:11.000Z")
    get("/nothing", headers={"X-Odd": "É"})
    first, second = sandbox.requests
    assert (first.number, first.method, first.path, first.status) == (1, "GET", "/v1/chats", 200)
    assert first.query == {"limit": "3", "after": "2026-05-17T09:42:11.000Z"}
    assert first.headers["x-api-key"] == "pp_live_x"
    assert (second.number, second.path, second.status) == (2, "/v1/nothing", 404)


def test_endpoints_that_start_work_are_counted(world: World, sandbox: Sandbox, get: Get) -> None:
    get()
    assert sandbox.sync_calls == []
    assert get("/chats/chat_1/sync").status == 200
    assert get("/accounts/acc_1/sync").status == 200
    assert [call.path for call in sandbox.sync_calls] == [
        "/v1/chats/chat_1/sync",
        "/v1/accounts/acc_1/sync",
    ]


def test_latency_is_waited_concurrently(http: urllib3.PoolManager) -> None:
    with serve(World(), latency=timedelta(milliseconds=300)) as sandbox:
        threads = [
            threading.Thread(target=http.request, args=("GET", f"{sandbox.url}/chats"))
            for _ in range(5)
        ]
        start = datetime.now(UTC)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        passed = datetime.now(UTC) - start
    assert timedelta(milliseconds=300) <= passed < timedelta(milliseconds=1200)


def test_a_token_bucket_announces_itself_and_refuses(http: urllib3.PoolManager) -> None:
    with serve(World(), rate_limit=RateLimit(burst=2, per_second=0.5)) as sandbox:
        answers = [http.request("GET", f"{sandbox.url}/chats", headers=KEY) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].headers["retry-after"] == answers[2].headers["x-ratelimit-reset"] == "2"
    assert answers[0].headers["x-ratelimit-limit"] == "2"
    assert answers[2].json()["type"] == "errors/too_many_requests"


def test_without_a_limit_no_headers_speak_of_one(world: World, get: Get) -> None:
    assert not [name for name in get().headers if name.lower().startswith("x-ratelimit")]


def test_a_hook_that_raises_is_not_swallowed(http: urllib3.PoolManager) -> None:
    world = World()
    world.before_page = lambda world: world.delete_chat("nobody")
    with pytest.raises(KeyError, match="nobody"), serve(world) as sandbox:
        assert http.request("GET", f"{sandbox.url}/chats", headers=KEY).status == 500


def test_several_walkers_and_a_changing_world_at_once(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    sandbox.reset(generate_world(300, 2, now=NOW))
    world, problems = sandbox.world, []

    def walk() -> None:
        cursor, seen = None, set()
        for _ in range(40):
            fields = {"cursor": cursor} if cursor else {"limit": "20"}
            answer = http.request("GET", f"{sandbox.url}/chats", fields=fields, headers=KEY)
            page = json.loads(answer.data)
            seen |= {chat["id"] for chat in page["items"]}
            cursor = page["cursor"]
            if cursor is None:
                break
        if cursor is not None or len(seen) < 200:
            problems.append((cursor, len(seen)))

    threads = [threading.Thread(target=walk) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        world.advance(timedelta(minutes=30))
    for thread in threads:
        thread.join()
    assert problems == []
