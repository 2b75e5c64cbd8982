"""Whatever bytes come: a page that becomes Arrow, or an error of the package. Nothing else."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postpress_source.api.answers import Page, Place, UnreadableError, decode_page, error_of
from postpress_source.api.pace import Budget, asked_wait
from postpress_source.chats.records import Chat, MissingIdError, loads, to_chat
from postpress_source.chats.tables import CHATS, parse_batch, split_lists, to_batch
from postpress_source.errors import PostpressContractError, PostpressError
from postpress_source.sandbox import generate_world
from postpress_source.walks.plan import Kind, Plan, Progress, observe
from tests.faults.corpus.make import LIES, PAGES

CORPUS = Path(__file__).parent / "corpus"
HERE = Place("GET /chats, page 1, account acc_1", "acc_1")
EXAMPLES = settings(max_examples=200)

TEXTS = st.text(st.characters(exclude_categories=())) | st.text(
    "aA0.-:TZ+ \x00\ud83d\ude00", max_size=24
)
NUMBERS = (
    st.integers() | st.integers(-3, 3) | st.floats() | st.sampled_from([2**63, -(2**63), 10**30])
)
INSTANTS = st.datetimes().map(datetime.isoformat) | st.datetimes(timezones=st.timezones()).map(
    datetime.isoformat
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | INSTANTS
FIELDS = st.sampled_from(
    [*(field for field in CHATS.names), "disabledFeatures", "object", "(extra)"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.builds(
    lambda chat_id, fields: {"id": chat_id, **fields},
    TEXTS,
    st.dictionaries(FIELDS | TEXTS, VALUES, max_size=6),
)
ENVELOPES = st.dictionaries(
    st.sampled_from(
        ["items", "cursor", "data", "next_cursor", "error", "type", "status", "object"]
    ),
    st.lists(RECORDS | VALUES, max_size=3) | VALUES,
    max_size=5,
)
PAGE_LIKE = st.builds(
    lambda records, cursor, more: {"items": records, "cursor": cursor, **more},
    st.lists(RECORDS, max_size=4),
    st.none() | TEXTS,
    st.just({}) | st.dictionaries(TEXTS, VALUES, max_size=1),
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()  # ASCII, lone surrogates escaped; NaN and Infinity too


def land(page: Page) -> pa.Table:
    """All that a walk does to a page before dlt gets it."""
    assert [chat.id for chat in page.chats] == [seen.id for seen in page.sightings]
    instants = [seen.timestamp for seen in page.sightings]
    observe(Progress(), instants, Plan(Kind.FULL, ""), datetime.now(UTC))
    batch = to_batch(page.chats)
    quick = None if page.text is None else parse_batch([page.text])
    assert quick is None or quick.equals(batch)
    table = pa.Table.from_batches([batch], CHATS)
    table.validate(full=True)
    for part in split_lists(table).values():
        part.validate(full=True)
    return table


def read(body: bytes) -> Page | None:
    """The page, or None after an error of the package; any other exception fails the test."""
    failed: PostpressError
    try:
        page = decode_page(body, HERE)
    except UnreadableError as error:
        failed = error.lasting
    except PostpressError as error:
        failed = error
    else:
        land(page)
        return page
    assert failed.where == HERE.where
    assert len(str(failed)) < 2_000
    return None


def test_the_corpus_is_what_the_script_writes() -> None:
    for folder, bodies in (("pages", PAGES), ("lies", LIES)):
        files = {path.stem: path.read_bytes() for path in (CORPUS / folder).glob("*.bin")}
        assert files == bodies


@pytest.mark.parametrize("name", PAGES)
def test_a_strange_page_lands_whole(name: str) -> None:
    page = decode_page((CORPUS / "pages" / f"{name}.bin").read_bytes(), HERE)
    table = land(page)
    assert table.num_rows == PAGES[name].replace(b"\0", b"").count(b'"id":') > 0


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_an_error_that_says_where(name: str) -> None:
    with pytest.raises((PostpressError, UnreadableError)) as caught:
        decode_page((CORPUS / "lies" / f"{name}.bin").read_bytes(), HERE)
    error = caught.value.lasting if isinstance(caught.value, UnreadableError) else caught.value
    assert isinstance(error, PostpressError)
    assert "page 1, account acc_1" in str(error)
    if name != "error_flat":  # which is documented, and passes
        assert isinstance(error, PostpressContractError)


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


def test_a_whole_number_written_as_a_text_fits_its_column() -> None:
    chat = to_chat({"id": "a", "unread_count": "-1", "archived": "1", "muted_until": "-1"})
    assert (chat.unread_count, chat.archived, chat.muted_until) == (-1, 1, -1)
    assert chat.extra is None
    for text in ("", "01", "1.5", "1e3", "9" * 19, "one"):
        odd = to_chat({"id": "a", "type": text})
        assert (odd.type, odd.extra) == (None, json.dumps({"type": text}, separators=(",", ":")))


@EXAMPLES
@given(st.binary(max_size=300))
@example(b"\xff\xfe")
def test_arbitrary_bytes_are_never_a_crash(body: bytes) -> None:
    read(body)
    error_of(500, body, HERE)


def test_thousands_of_damaged_bodies_are_never_a_crash() -> None:
    rng = random.Random(7)
    bodies = [*PAGES.values(), *LIES.values()]
    read_whole = 0
    for _ in range(8_000):
        body = bytearray(rng.choice([*PAGES.values()]))
        for _ in range(rng.randint(1, 2)):
            start = rng.randrange(len(body) + 1)
            other = rng.choice(bodies)
            cut = rng.randrange(len(other) + 1)
            damage = (bytes([rng.randrange(256)]), b"", b'"', other[cut : cut + 40], b"\\ud83d")
            body[start : start + rng.randint(0, 5)] = rng.choice(damage)
        read_whole += read(bytes(body)) is not None
        error_of(500, bytes(body), HERE)
    assert read_whole > 500  # else the damage would be too much to test anything


@EXAMPLES
@given(VALUES | ENVELOPES)
def test_arbitrary_json_is_never_a_crash(value: Any) -> None:
    read(as_json(value))


@EXAMPLES
@given(PAGE_LIKE)
def test_whatever_decodes_becomes_arrow_with_a_row_for_each_record(page: dict[str, Any]) -> None:
    decoded = read(as_json(page))
    if decoded is None:
        return
    assert len(decoded.chats) == len(page["items"])
    assert decoded.page_cursor is None or isinstance(page["cursor"], str)


def typed(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose documented fields are what they should be."""
    return {**DOCUMENTED, **record} | {"id": record["id"] or "a"}


DOCUMENTED = {
    "object": "Chat",
    "account_id": "acc_1",
    "name": "Zoë \x00 \ud83d\ude00",
    "type": 0,
    "timestamp": "2026-05-17T09:42:11.000Z",
    "unread_count": -1,
    "archived": 1,
    "muted_until": -1,
    "pinned": None,
    "folder": ["INBOX", ""],
    "disabledFeatures": [],
}
KNOWN = {
    "account_id": st.none() | TEXTS,
    "name": st.none() | TEXTS,
    "type": st.integers(-(2**63), 2**63 - 1),
    "timestamp": st.none() | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    "unread_count": st.none() | st.integers(-(2**63), 2**63 - 1),
    "archived": st.sampled_from([0, 1, None]),
    "muted_until": st.just(-1) | st.none() | st.just("2026-08-01T10:00:00+02:00"),
    "pinned": st.sampled_from([0, 1, None]),
    "folder": st.none() | st.lists(TEXTS, max_size=3),
    "disabledFeatures": st.none() | st.lists(TEXTS, max_size=3),
}
TYPED = st.builds(
    lambda chat_id, known, more: typed({**more, **known, "id": chat_id}),
    TEXTS,
    st.fixed_dictionaries({}, optional=KNOWN),
    st.just({}) | st.dictionaries(TEXTS.map("x".__add__), VALUES, max_size=2),
)


def columns_of(chat: Chat) -> dict[str, Any]:
    """All but `object`, which has no column."""
    return msgspec.structs.asdict(chat) | {"object": None}


@EXAMPLES
@given(st.lists(TYPED, max_size=3), st.sampled_from(["items", "data"]), st.booleans())
def test_the_fast_ways_read_a_page_as_the_slow_one_does(
    records: list[dict[str, Any]], key: str, pretty: bool
) -> None:
    cursor = {"items": "cursor", "data": "next_cursor"}[key]
    body = json.dumps({key: records, cursor: "more", "total": 3}, indent=2 if pretty else None)
    page = read(body.encode())
    assert page is not None
    slow = [to_chat(record) for record in loads(body.encode())[key]]
    assert [columns_of(chat) for chat in page.chats] == [columns_of(chat) for chat in slow]


def test_documented_pages_take_the_fast_way() -> None:
    """A property about several ways proves nothing if one of them is never taken."""
    more = {"unread": 1, "nested": {"a": [1.5, None]}}
    plain, open_ = (
        decode_page(as_json({"items": [DOCUMENTED | {"id": "a"} | rest], "cursor": None}), HERE)
        for rest in ({}, more)
    )
    assert plain.text is not None
    assert open_.text is not None
    quick = parse_batch([plain.text, plain.text])
    assert quick is not None
    assert quick.equals(to_batch([*plain.chats, *plain.chats]))
    assert parse_batch([open_.text]) is None
    assert type(open_.chats[0]).__name__ == "_OpenChat"
    assert open_.chats[0].extra == '{"unread":1,"nested":{"a":[1.5,null]}}'


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_sandboxs_pages_take_the_fast_way(separators: tuple[str, str]) -> None:
    records = generate_world(1_000, seed=1).relist()
    assert {chat["muted_until"] == -1 for chat in records} == {True, False}
    body = json.dumps({"items": records, "cursor": None}, separators=separators).encode()
    page = decode_page(body, HERE)
    assert page.text is not None
    quick = parse_batch([page.text])
    assert quick is not None
    assert quick.equals(to_batch(page.chats))


@EXAMPLES
@given(st.dictionaries(FIELDS, VALUES, max_size=8))
def test_a_page_cut_anywhere_is_never_a_page(fields: dict[str, Any]) -> None:
    body = as_json({"items": [fields | {"id": "a"}], "cursor": None})
    for end in {0, len(body) // 3, len(body) // 2, len(body) - 2, len(body) - 1}:
        with pytest.raises(UnreadableError):
            decode_page(body[:end], HERE)


@EXAMPLES
@given(st.integers(300, 599), st.binary(max_size=200) | (VALUES | ENVELOPES).map(as_json))
def test_any_error_body_gives_an_error_of_bounded_length(status: int, body: bytes) -> None:
    error = error_of(status, body, HERE, location=body.decode("latin-1"))
    text = str(error)
    assert HERE.where in text
    assert str(status) in text
    assert len(text) < 2_000
    assert text.isprintable()


@EXAMPLES
@given(
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "x-ratelimit-reset", "x-ratelimit-remaining", "x-ratelimit-limit"]
        ),
        st.text()
        | NUMBERS.map(str)
        | st.floats().map(str)
        | INSTANTS
        | st.sampled_from(
            ["Wed, 21 Oct 2015 07:28:00 GMT", "Thu, 01 Jan 9999 00:00:00 GMT", "1e400"]
        ),
        max_size=4,
    ),
    st.integers(200, 599),
)
def test_any_headers_give_a_finite_wait_or_none(headers: Mapping[str, str], status: int) -> None:
    wait = asked_wait(headers, status)
    assert wait is None or 0 < wait[0] < float("inf")
    budget = Budget()
    assert 0 <= budget.heed(headers, 5.0) <= 5.0
    assert budget.take_turn() <= 5.0


@EXAMPLES
@given(RECORDS)
def test_every_object_with_an_id_is_a_chat(record: dict[str, Any]) -> None:
    record = loads(as_json(record))
    try:
        chat = to_chat(record)
    except MissingIdError:
        assert not record["id"] or not isinstance(record["id"], str)
        return
    assert chat.id == record["id"]
    extra = msgspec.json.decode(chat.extra) if chat.extra else {}
    unknown = record.keys() - {*CHATS.names, "disabledFeatures", "object"}
    assert unknown <= extra.keys()
