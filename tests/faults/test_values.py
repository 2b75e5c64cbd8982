"""A value lands the same whichever way its page is read, and nothing of a record is lost."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postpress_source.api.answers import decode_page
from postpress_source.chats.fields import FIELDS as DOCUMENTED_FIELDS
from postpress_source.chats.fields import Chat
from postpress_source.chats.records import MissingIdError, loads, read_any, read_documented
from postpress_source.chats.tables import to_batch
from postpress_source.sandbox import generate_world
from tests.faults.corpus.make import PAGES
from tests.faults.pages import DOCUMENTED, EXAMPLES, FIELDS, HERE, RECORDS, TYPED, VALUES, as_json


@EXAMPLES
@given(st.lists(TYPED, max_size=3), st.sampled_from(["items", "data"]), st.booleans())
def test_the_quick_way_reads_a_page_as_the_slow_one_does(
    records: list[dict[str, Any]], key: str, pretty: bool
) -> None:
    cursor = {"items": "cursor", "data": "next_cursor"}[key]
    body = json.dumps({key: records, cursor: "more", "total": 3}, indent=2 if pretty else None)
    page = decode_page(body.encode(), HERE)
    slow = [read_any(record) for record in loads(body.encode())[key]]
    assert to_batch(page.chats).equals(to_batch(slow))


@EXAMPLES
@given(FIELDS, VALUES)
@example("timestamp", "2026-05-17t09:42:11.000z")
@example("timestamp", "2026-05-17T09:42:11.9999999Z")
@example("(extra)", "")
@example("object", "Message")
def test_the_quick_way_takes_a_value_as_the_slow_one_does_or_not_at_all(
    name: str, value: Any
) -> None:
    text = as_json([{"id": "a", name: value}])
    quick = read_documented(text)
    try:
        slow = [read_any(record) for record in loads(text)]
    except MissingIdError:
        assert quick is None
        return
    assert quick is None or to_batch(quick).equals(to_batch(slow))


COMPANY: dict[str, dict[str, Any]] = {
    "another documented chat": {"name": "Zoë"},
    "an unknown field": {"unread": 1},
    "a value that isn't documented": {"timestamp": "2026-05-17", "read_only": "1"},
    "half a surrogate pair": {"name": "\ud83d"},
    "no number": {"type": float("nan")},
    "two fields of our own": {"(extra)": "x", "extra": "y"},
}


@EXAMPLES
@given(st.lists(TYPED | RECORDS, min_size=1, max_size=3), st.sampled_from(sorted(COMPANY)))
@example([{"id": "a", "timestamp": "2026-05-17t09:42:11.000z"}], "an unknown field")
@example([{"id": "a", "muted_until": "2026-05-17T09:42:11.1234567Z"}], "half a surrogate pair")
def test_a_row_is_the_same_whatever_else_is_on_its_page(
    records: list[dict[str, Any]], company: str
) -> None:
    records = [with_id(record) for record in records]
    stranger = {"id": "stranger", **COMPANY[company]}
    alone = [row for record in records for row in rows_of([record])]
    assert rows_of([*records, stranger])[:-1] == alone
    assert rows_of([stranger, *records])[1:] == alone


def with_id(record: dict[str, Any]) -> dict[str, Any]:
    usable = isinstance(record["id"], str) and record["id"]
    return record if usable else {**record, "id": "a"}


def rows_of(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    page = decode_page(as_json({"items": records, "cursor": None}), HERE)
    rows: list[dict[str, Any]] = to_batch(page.chats).to_pylist()
    return rows


@EXAMPLES
@given(TYPED | RECORDS)
@example({"id": "a", "type": float("nan"), "object": "Message", "(extra)": None})
@example({"id": "a", "archived": 2, "folder": ["INBOX", 1], "timestamp": 5})
def test_nothing_of_a_record_is_lost(record: dict[str, Any]) -> None:
    record = with_id(record)
    row = rows_of([record])[0]
    extra = msgspec.json.decode(row["extra"] or "{}")
    columns = {field.api_name: field.name for field in DOCUMENTED_FIELDS}
    for name, value in loads(as_json(record)).items():
        if name in extra:
            assert extra[name] == value
        elif name == "object":
            assert value == "Chat"
        elif name == "muted_until" and row["muted_forever"]:
            assert float(value) == -1
        elif value is None:
            assert row[columns[name]] is None
        elif name in ("timestamp", "muted_until"):
            assert isinstance(row[name], datetime)
        elif isinstance(row[columns[name]], int):
            assert row[columns[name]] == float(value) or row[columns[name]] == int(value)
        else:
            assert row[columns[name]] == value


def chat_of(**fields: Any) -> Chat:
    return read_any({"id": "a", **fields})


def test_a_whole_number_written_as_a_text_fits_its_column() -> None:
    chat = chat_of(unread_count="-1", archived="1", muted_until="-1")
    assert (chat.unread_count, chat.archived, chat.muted_until) == (-1, 1, -1)
    assert chat.extra is None
    for text in ("", "01", "1.5", "1e3", "9" * 19, "one"):
        odd = chat_of(type=text)
        assert (odd.type, odd.extra) == (None, json.dumps({"type": text}, separators=(",", ":")))


@pytest.mark.parametrize(
    ("fields", "columns", "extra"),
    [
        (
            {"type": 1.0, "archived": 0.0, "pinned": True},
            {"type": 1, "archived": 0, "pinned": 1},
            {},
        ),
        ({"type": True}, {"type": None}, {"type": True}),
        (
            {"type": "None", "timestamp": "None"},
            {"type": None},
            {"type": "None", "timestamp": "None"},
        ),
        ({"archived": 2}, {"archived": 1}, {"archived": 2}),
        (
            {"timestamp": "2026-05-17t09:42:11z"},
            {"timestamp": datetime(2026, 5, 17, 9, 42, 11, tzinfo=UTC)},
            {},
        ),
        ({"timestamp": "2026-05-17"}, {"timestamp": datetime(2026, 5, 17, tzinfo=UTC)}, {}),
        ({"folder": ["INBOX", 1]}, {"folder": ["INBOX", "1"]}, {"folder": ["INBOX", 1]}),
        ({"object": "Message"}, {}, {"object": "Message"}),
        (
            {"(extra)": None, "extra": "", "muted_forever": 1},
            {"muted_forever": 0},
            {"(extra)": None, "extra": "", "muted_forever": 1},
        ),
    ],
)
def test_what_a_value_means(
    fields: dict[str, Any], columns: dict[str, Any], extra: dict[str, Any]
) -> None:
    chat = decode_page(as_json({"items": [{"id": "a", **fields}], "cursor": None}), HERE).chats[0]
    assert {name: getattr(chat, name) for name in columns} == columns
    assert msgspec.json.decode(chat.extra or "{}") == extra


def test_no_number_is_kept_as_it_was_written() -> None:
    chat = decode_page(PAGES["nan_and_infinity"], HERE).chats[0]
    assert chat.extra == '{"type":"NaN","unread_count":"-Infinity"}'


def test_documented_pages_take_the_quick_way() -> None:
    """A property about two ways proves nothing if one of them is never taken."""
    more = {"unread": 1, "nested": {"a": [1.5, None]}}
    plain, open_ = (
        decode_page(as_json({"items": [DOCUMENTED | {"id": "a"} | rest], "cursor": None}), HERE)
        for rest in ({}, more)
    )
    assert plain.text is not None
    assert plain.chats[0].extra is None
    assert open_.text is None
    assert open_.chats[0].extra == '{"unread":1,"nested":{"a":[1.5,null]}}'


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_sandboxs_pages_take_the_quick_way(separators: tuple[str, str]) -> None:
    records = generate_world(1_000, seed=1).relist()
    assert {chat["muted_until"] == -1 for chat in records} == {True, False}
    body = json.dumps({"items": records, "cursor": None}, separators=separators).encode()
    assert decode_page(body, HERE).text is not None


def test_what_does_not_fit_its_column_is_kept() -> None:
    page = decode_page(PAGES["every_field_of_a_wrong_type"], HERE)
    assert page.chats[0].extra is not None
    kept = msgspec.json.decode(page.chats[0].extra)
    assert kept["type"] == "x"
    assert kept["archived"] == 2
    assert kept["disabledFeatures"] == [1, None]
    far = decode_page(PAGES["zone_before_year_1"], HERE).chats[0]
    assert far.timestamp is None
    assert far.extra == '{"timestamp":"0001-01-01T00:00:00+14:00"}'
