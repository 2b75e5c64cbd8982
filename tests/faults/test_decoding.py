"""Whatever bytes come: a page that becomes Arrow, or an error of the package. Nothing else."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postpress_source.api.answers import Page, UnreadableError, decode_page
from postpress_source.api.pace import Budget, asked_wait
from postpress_source.api.refusals import error_of
from postpress_source.chats.tables import CHATS, split_lists, to_batch
from postpress_source.errors import PostpressContractError, PostpressError
from postpress_source.walks.plan import Progress, observe
from tests.faults.corpus.make import LIES, PAGES
from tests.faults.pages import (
    ENVELOPES,
    EXAMPLES,
    FIELDS,
    HERE,
    INSTANTS,
    NUMBERS,
    PAGE_LIKE,
    VALUES,
    as_json,
)

CORPUS = Path(__file__).parent / "corpus"


def land(page: Page) -> pa.Table:
    """All that a walk does to a page before dlt gets it."""
    instants = [chat.timestamp for chat in page.chats]
    observe(Progress(), instants)
    table = pa.Table.from_batches([to_batch(page.chats)], CHATS)
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
