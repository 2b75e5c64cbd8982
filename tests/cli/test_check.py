"""`postpress check`: what it finds out, and how little it asks."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from postpress_source.sandbox import Fault, RateLimit, Sandbox, generate_world, serve
from tests.cli.conftest import Desk, assert_plain
from tests.faults.asking import Authority
from tests.faults.hostile import always, hostile, http


@pytest.fixture
def served(desk: Desk, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """600 chats, under the reading of the documents that the test names."""
    with serve(generate_world(600, 3, seed=11, **getattr(request, "param", {}))) as sandbox:
        desk.connect(sandbox)
        yield sandbox


def findings(desk: Desk) -> dict[str, dict[str, Any]]:
    document = json.loads(desk.run("check", "--json").out)
    return {finding["what"]: finding for finding in document["findings"]}


def test_a_good_connection(desk: Desk, served: Sandbox) -> None:
    ended = desk.run("check")
    assert ended.code == 0, ended.text
    assert_plain(ended.text)
    assert all(account in ended.out for account in served.world.accounts)
    assert f"{served.request_count} requests made" in ended.out
    assert served.request_count <= 5
    assert {(r.method, r.path) for r in served.requests} == {("GET", "/v1/chats")}


@pytest.mark.parametrize(
    ("served", "what", "state", "words"),
    [
        ({"time_filter": "activity"}, "after, before", "ok", "the last activity"),
        ({"time_filter": "creation"}, "after, before", "note", "the creation"),
        ({"time_filter": "activity", "rounding": True}, "after, before", "ok", "last activity"),
        ({"order": "shuffled"}, "order", "note", "not newest first"),
        ({"envelope": "data"}, "envelope", "ok", "data and next_cursor"),
    ],
    indirect=["served"],
)
def test_either_reading(desk: Desk, served: Sandbox, what: str, state: str, words: str) -> None:
    finding = findings(desk)[what]
    assert finding["state"] == state, finding
    assert words in finding["text"]


def test_creation_cannot_be_told_from_activity_where_both_are_one(desk: Desk) -> None:
    world = generate_world(0, 0)
    account = world.connect_account("WHATSAPP")
    for minutes in range(40):
        world.new_chat(account, at=world.now - timedelta(minutes=minutes), unread_count=0)
    with serve(world) as sandbox:
        desk.connect(sandbox)
        finding = findings(desk)["after, before"]
    assert finding["state"] == "note"
    assert "can't tell" in finding["text"]


def test_filters_that_are_not_heeded(desk: Desk, served: Sandbox) -> None:
    whole = served.world.relist()[:250]
    served.faults.add(
        Fault(
            kind="edit",
            when=lambda request: not request.query.keys().isdisjoint(("before", "after")),
            times=None,
            edit=lambda page: {**page, "items": whole, "cursor": None},
        )
    )
    finding = findings(desk)["after, before"]
    assert finding["state"] == "note"
    assert "not heeded" in finding["text"]


def test_rate_limit_headers(desk: Desk, served: Sandbox) -> None:
    served.rate_limit = RateLimit(burst=100, per_second=10.0)
    finding = findings(desk)["rate limit"]
    assert "x-ratelimit-limit: 100" in finding["text"]


def test_wrong_key(desk: Desk, served: Sandbox) -> None:
    desk.environment["SOURCES__POSTPRESS__API_KEY"] = "not-a-key-of-theirs"
    ended = desk.run("check")
    assert ended.code == 1
    assert "PostpressAuthError" in ended.out
    assert "mend this" in ended.out
    assert "not-a-key-of-theirs" not in ended.text
    assert served.request_count == 1
    assert_plain(ended.text)


def test_a_base_url_that_is_something_else(desk: Desk, served: Sandbox) -> None:
    desk.environment["SOURCES__POSTPRESS__BASE_URL"] = served.url.removesuffix("/v1") + "/v2"
    ended = desk.run("check")
    assert ended.code == 1
    assert "base_url" in ended.out
    assert_plain(ended.text)


def at(url: str, **environment: str) -> dict[str, str]:
    return {"SOURCES__POSTPRESS__BASE_URL": url, **environment}


HTTPS = "https://api.postpress.test/v1"
ON_THE_WAY: dict[str, tuple[dict[str, str], str]] = {
    "an unknown host": (at("https://api.postpress.invalid/v1"), "Check base_url"),
    "a CA file that isn't there": (
        at(HTTPS, REQUESTS_CA_BUNDLE="/no/such.pem"),
        "/no/such.pem, which REQUESTS_CA_BUNDLE names, isn't there",
    ),
    "a certificate of nobody's": (at("https://localhost:{tls}/v1"), "certificate"),
    "a proxy's 407": (at(HTTPS, HTTPS_PROXY="http://127.0.0.1:{asking}"), "HTTP 407"),
    "a proxy's 403": (at(HTTPS, HTTPS_PROXY="http://127.0.0.1:{refusing}"), "HTTP 403"),
}


@pytest.mark.parametrize(("environment", "said"), ON_THE_WAY.values(), ids=ON_THE_WAY)
@pytest.mark.parametrize("command", ["check", "run"])
def test_what_stands_in_the_way_is_for_you_to_mend(
    command: str, environment: dict[str, str], said: str, desk: Desk
) -> None:
    with (
        hostile(always(b""), Authority(desk.folder).shows()) as tls,
        hostile(always(http(b"", "407 No"))) as asking,
        hostile(always(http(b"", "403 No"))) as refusing,
    ):
        ports = {"tls": tls.port, "asking": asking.port, "refusing": refusing.port}
        desk.environment["SOURCES__POSTPRESS__API_KEY"] = "pp_live_mine"
        desk.environment |= {name: text.format(**ports) for name, text in environment.items()}
        ended = desk.run(command)
        assert tls.connections + asking.connections + refusing.connections <= 1
    assert ended.code == 1, ended.text
    assert said in " ".join(ended.text.split())
    assert_plain(ended.text)


@pytest.mark.parametrize("command", ["check", "run"])
def test_settings_that_are_examples_are_refused(command: str, desk: Desk, served: Sandbox) -> None:
    desk.environment["SOURCES__POSTPRESS__API_KEY"] = "pp_test_replace_me"
    ended = desk.run(command)
    assert ended.code == 2
    assert "placeholder" in ended.text
    assert served.request_count == 0


def test_a_sick_account_beside_a_well_one(desk: Desk, served: Sandbox) -> None:
    well, sick, _ = served.world.accounts
    served.world.disconnect_account(sick)
    ended = desk.run("check", "--account", well, "--account", sick)
    assert ended.code == 1
    assert "Reconnect the account" in " ".join(ended.out.split())
    assert well in ended.out
    assert_plain(ended.text)


def test_the_api_is_down(desk: Desk, served: Sandbox) -> None:
    served.faults.add(Fault(status=503, times=None))
    assert desk.run("check").code == 3


def test_no_chats_at_all(desk: Desk) -> None:
    with serve(generate_world(0, 0)) as sandbox:
        desk.connect(sandbox)
        ended = desk.run("check")
    assert ended.code == 0, ended.text
    assert "none are visible" in ended.out
