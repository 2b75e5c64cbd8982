"""The public contract, field by field: what the API showed is what the tables hold."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from postpress_source import PostpressArgumentError, postpress_source
from postpress_source.sandbox import Sandbox, World, WorldOptions, generate_world, serve

KEY = "pp_live_contract_0123456789"
COLUMNS = [
    *("id", "account_id", "account_type", "provider_id", "attendee_provider_id", "name", "type"),
    *("timestamp", "unread_count", "archived", "muted_until", "muted_forever", "read_only"),
    *("subject", "organization_id", "mailbox_id", "content_type", "pinned"),
]


@pytest.fixture(scope="module")
def world() -> World:
    built = generate_world(chats=5_000, accounts=9, seed=11)
    nasty = built.chat_ids[0]
    built.edit(
        nasty, name='a\'; DROP TABLE chats;--\n=1+1\t"x" \U0001f98a', unread_count=4_000_000_000
    )
    built.edit(built.chat_ids[1], folder=[], disabledFeatures=["reply", "reactions", "übrig"])
    built.edit(built.chat_ids[2], type=7, account_type="SIGNAL", content_type="new", unread=1)
    built.edit(built.chat_ids[3], folder=["INBOX", "INBOX", "Kunden, 'wichtig'"], nested={"a": [1]})
    return built


@pytest.fixture(scope="module")
def sandbox(world: World) -> Iterator[Sandbox]:
    with serve(world) as server:
        yield server


@pytest.fixture
def pipeline(tmp_path: Path) -> dlt.Pipeline:
    return dlt.pipeline(
        "contract",
        destination=dlt.destinations.duckdb(str(tmp_path / "inbox.duckdb")),
        dataset_name="postpress",
        pipelines_dir=str(tmp_path / "pipelines"),
    )


def rows(pipeline: dlt.Pipeline, query: str) -> list[tuple[Any, ...]]:
    with pipeline.sql_client() as client, client.execute_query(query) as cursor:
        return list(cursor.fetchall())


def expected(chat: dict[str, Any]) -> dict[str, Any]:
    muted = chat["muted_until"]
    as_shown = {name: chat.get(name) for name in COLUMNS}
    return as_shown | {
        "timestamp": instant(chat["timestamp"]),
        "archived": bool(chat["archived"]),
        "muted_until": instant(muted) if isinstance(muted, str) else None,
        "muted_forever": muted == -1,
        "pinned": None if chat.get("pinned") is None else bool(chat["pinned"]),
    }


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def landed(pipeline: dlt.Pipeline) -> dict[str, dict[str, Any]]:
    found = {}
    for row in rows(pipeline, f"SELECT {', '.join(COLUMNS)} FROM chats"):  # noqa: S608
        chat = dict(zip(COLUMNS, row, strict=True))
        for name in ("timestamp", "muted_until"):
            chat[name] = chat[name] and chat[name].astimezone(UTC)
        found[chat["id"]] = chat
    return found


def arrays(pipeline: dlt.Pipeline, table: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    query = f"SELECT chat_id, _dlt_list_idx, value FROM {table} ORDER BY 1, 2"  # noqa: S608
    for chat_id, index, value in rows(pipeline, query):
        assert index == len(found.setdefault(chat_id, []))
        found[chat_id].append(value)
    return found


def assert_landed(pipeline: dlt.Pipeline, chats: list[dict[str, Any]]) -> None:
    assert landed(pipeline) == {chat["id"]: expected(chat) for chat in chats}
    for table, field in (
        ("chats__folder", "folder"),
        ("chats__disabled_features", "disabledFeatures"),
    ):
        shown = {chat["id"]: chat[field] for chat in chats if chat.get(field)}
        assert arrays(pipeline, table) == shown


def test_every_field_and_element_of_every_chat_lands(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    sandbox.reset()
    pipeline.run(postpress_source(api_key=KEY, base_url=sandbox.url))
    chats = world.relist()
    assert len(chats) == 5_000
    assert_landed(pipeline, chats)
    assert len(sandbox.requests) == 20
    assert {request.headers["x-api-key"] for request in sandbox.requests} == {KEY}


def test_what_has_no_column_is_kept(world: World, sandbox: Sandbox, pipeline: dlt.Pipeline) -> None:
    pipeline.run(postpress_source(api_key=KEY, base_url=sandbox.url))
    kept = dict(rows(pipeline, "SELECT id, extra FROM chats WHERE extra IS NOT NULL"))
    assert {chat_id: json.loads(extra) for chat_id, extra in kept.items()} == {
        world.chat_ids[2]: {"unread": 1},
        world.chat_ids[3]: {"nested": {"a": [1]}},
    }


def test_the_other_envelope_lands_the_same(pipeline: dlt.Pipeline) -> None:
    world = generate_world(chats=600, accounts=3, seed=5, envelope="data", error_envelope="nested")
    with serve(world) as server:
        pipeline.run(postpress_source(api_key=KEY, base_url=server.url))
    assert_landed(pipeline, world.relist())


def test_a_world_without_timestamps_names_and_folders_loads_twice(pipeline: dlt.Pipeline) -> None:
    world = World(WorldOptions())
    account = world.connect_account("SLACK", history=0)
    for _ in range(7):
        world.new_chat(account, timestamp=None, name=None, folder=None)
    with serve(world) as server:
        for _ in range(2):
            pipeline.run(postpress_source(api_key=KEY, base_url=server.url))
    assert_landed(pipeline, world.relist())
    assert len(landed(pipeline)) == 7


def test_an_empty_inbox_makes_all_tables(pipeline: dlt.Pipeline) -> None:
    with serve(World(WorldOptions())) as server:
        pipeline.run(postpress_source(api_key=KEY, base_url=server.url))
    assert_landed(pipeline, [])
    assert rows(pipeline, "SELECT complete, chats_read FROM chat_walks") == [(True, 0)]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"account_type": "LINKEDIN"}, {"account_type": "LINKEDIN"}),
        ({"unread": True}, {"unread": "true"}),
        ({"unread": False}, {"unread": "false"}),
        ({"limit": 100}, {"limit": "100"}),
    ],
)
def test_a_filter_reaches_the_api_and_narrows_the_table(
    world: World,
    sandbox: Sandbox,
    pipeline: dlt.Pipeline,
    arguments: dict[str, Any],
    sent: dict[str, str],
) -> None:
    sandbox.reset()
    pipeline.run(postpress_source(api_key=KEY, base_url=sandbox.url, **arguments))
    assert sandbox.requests[0].query == {"limit": "250"} | sent
    relist = {name: value for name, value in arguments.items() if name != "limit"}
    assert_landed(pipeline, world.relist(**relist))
    for request in list(sandbox.requests)[1:]:
        assert request.query.keys() == {*sandbox.requests[0].query, "cursor"}
        assert sandbox.requests[0].query.items() <= request.query.items()


def test_a_window_is_sent_in_the_exact_format(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline
) -> None:
    sandbox.reset()
    after, before = world.now - timedelta(days=30), world.now - timedelta(days=3)
    after = after.replace(microsecond=123_456)
    source = postpress_source(
        api_key=KEY, base_url=sandbox.url, after=after, before=before.isoformat()
    )
    pipeline.run(source)
    query = sandbox.requests[0].query
    assert query["after"] == after.strftime("%Y-%m-%dT%H:%M:%S.123Z")
    assert_landed(
        pipeline, world.relist(after=instant(query["after"]), before=instant(query["before"]))
    )
    assert 0 < len(landed(pipeline)) < 5_000


@pytest.mark.parametrize("form", ["one", "comma", "list"])
def test_accounts_are_walked_one_by_one(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, form: str
) -> None:
    sandbox.reset()
    accounts = sorted({chat["account_id"] for chat in world.relist()})[:3]
    wanted = accounts[:1] if form == "one" else accounts
    given: Any = wanted if form == "list" else ", ".join(wanted)
    pipeline.run(postpress_source(api_key=KEY, base_url=sandbox.url, account_id=given))
    asked = [r.query["account_id"] for r in sandbox.requests if "cursor" not in r.query]
    assert sorted(asked) == wanted
    chats = [chat for chat in world.relist() if chat["account_id"] in wanted]
    assert_landed(pipeline, chats)


def test_columns_are_typed_and_described(sandbox: Sandbox, pipeline: dlt.Pipeline) -> None:
    pipeline.run(postpress_source(api_key=KEY, base_url=sandbox.url))
    tables = pipeline.default_schema.tables
    assert set(COLUMNS) <= set(tables["chats"]["columns"])
    for name in ("chats", "chats__folder", "chats__disabled_features", "chat_walks"):
        undescribed = [
            c for c, hints in tables[name]["columns"].items() if not hints.get("description")
        ]
        assert undescribed == []
    assert tables["chats__folder"]["parent"] == "chats"


NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("limit", 0, "from 1 to 250"),
        ("limit", 251, "from 1 to 250"),
        ("limit", "ten", "from 1 to 250"),
        ("limit", True, "from 1 to 250"),
        ("account_type", "SIGNAL", "TELEGRAM"),
        ("account_type", "linkedin", "LINKEDIN"),
        ("account_id", "", "none empty"),
        ("account_id", "a,,b", "none empty"),
        ("account_id", [], "none empty"),
        ("account_id", ["a", " "], "none empty"),
        ("unread", "maybe", "None for both"),
        ("before", "yesterday", "ISO 8601"),
        ("before", "2026-02-30T00:00:00Z", "ISO 8601"),
        ("after", 1_779_019_200, "a date, a datetime"),
        ("account_id", '["a"', "a list of them"),
        ("account_id", "['a', 'b']", "a list of them"),
        ("account_id", "[]", "none empty"),
        ("account_id", "[1, 2]", "an account id"),
        ("lookback", timedelta(hours=-1), "0 or more"),
        ("lookback", "an hour", "PT1H"),
        ("full_walk_every", 3600, "timedelta"),
        ("full_walk_at_most_every", "hourly", "timedelta"),
        ("sweep", "often", "True or False"),
        ("base_url", "http://api.postpress.ai/v1", "ALLOW_PLAIN_HTTP"),
        ("base_url", "ftp://127.0.0.1/v1", "https"),
        ("base_url", "https://user:pass-word@api.postpress.ai/v1", "https URL without user"),
        ("base_url", "api.postpress.ai/v1", "has no scheme"),
        ("base_url", "api.postpress.ai:443/v1", "such as https://api.postpress.ai/v1"),
        ("base_url", "localhost:8765/v1", "has no scheme"),
        ("base_url", "//api.postpress.ai/v1", "has no scheme"),
        ("base_url", "user:pass-word@api.postpress.ai/v1", "has no scheme"),
        ("base_url", "", "has no scheme"),
        ("base_url", "://api.postpress.ai", "such as https://"),
        ("base_url", "https://", "such as https://"),
        ("base_url", "https://:443/v1", "such as https://"),
        ("base_url", "https://api.postpress.ai:port/v1", "such as https://"),
        ("base_url", "https://api.postpress.ai:99999/v1", "such as https://"),
        ("base_url", "https://user:pass-word@[::1/v1", "such as https://"),
        ("base_url", "https://api postpress ai/v1", "such as https://"),
        ("base_url", "https://-\u00e9-.example", "such as https://"),
        ("base_url", "https://api.postpress.ai/v1?api_key=pass-word", "without user, query"),
        ("api_key", "", "SOURCES__POSTPRESS__API_KEY"),
        ("api_key", "two words", "printable ASCII"),
        ("api_key", "pp_test_replace_me", "placeholder"),
        ("api_key", "pp_live_...", "placeholder"),
        ("api_key", "pp_live_\u2026", "placeholder"),
        ("api_key", "<configure me>", "placeholder"),
        ("api_key", " YOUR_API_KEY ", "placeholder"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(
    sandbox: Sandbox, argument: str, value: Any, allowed: str
) -> None:
    sandbox.reset()
    with pytest.raises(PostpressArgumentError) as refused:
        postpress_source(**{"api_key": KEY, "base_url": sandbox.url, argument: value})
    assert argument in str(refused.value)
    assert allowed in str(refused.value)
    assert "pass-word" not in str(refused.value)
    assert not sandbox.requests


def test_a_window_that_is_empty_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"after=.*(?s:.)*earlier than before"):
        postpress_source(api_key=KEY, base_url=sandbox.url, after=NOON, before=NOON)


def test_a_missing_key_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(KeyError, match="SOURCES__POSTPRESS__API_KEY"):
        postpress_source(base_url=sandbox.url)


def test_settings_come_from_the_environment(
    world: World, sandbox: Sandbox, pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.reset()
    for name, value in {
        "API_KEY": KEY,
        "BASE_URL": sandbox.url,
        "ACCOUNT_TYPE": "WHATSAPP",
        "UNREAD": "true",
        "LIMIT": "50",
        "LOOKBACK": "PT2H",
        "FULL_WALK_EVERY": "P7D",
    }.items():
        monkeypatch.setenv(f"SOURCES__POSTPRESS__{name}", value)
    pipeline.run(postpress_source())
    assert sandbox.requests[0].query == {
        "account_type": "WHATSAPP",
        "unread": "true",
        "limit": "50",
    }
    assert_landed(pipeline, world.relist(account_type="WHATSAPP", unread=True))
