"""Pages, records and values of every kind, to be drawn by Hypothesis."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from postpress_source.api.refusals import Place
from postpress_source.chats.tables import CHATS

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
# Times as different parsers take them, or don't.
TIMES = st.builds(
    "".join,
    st.tuples(
        st.dates().map(str) | st.sampled_from(["0001-01-01", "9999-12-31", "20260517"]),
        st.sampled_from(["T", "t", " ", ""]),
        st.sampled_from(["09:42:11", "09:42", "23:59:59", "23:59:60", "24:00:00", "094211", ""]),
        st.sampled_from(["", ".000", ",5", ".1234567", ".9999999", "."]),
        st.sampled_from(["", "Z", "z", "+02:00", "-0330", "-14:00", "+05:30:30", "+24:00", " Z"]),
    ),
)
INSTANTS |= TIMES
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | INSTANTS | st.integers(-3, 3).map(str)
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
