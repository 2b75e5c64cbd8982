"""Writes the corpus: nasty bodies of a 200, one a file. Run it from anywhere after a change."""

from pathlib import Path


def page(record: bytes, cursor: bytes = b"null") -> bytes:
    return b'{"object":"ChatList","items":[' + record + b'],"cursor":' + cursor + b"}"


def record(fields: bytes) -> bytes:
    return page(b'{"object":"Chat","id":"a",' + fields + b"}")


CHAT = b'{"id":"a"}'

PAGES = {  # they are read, whatever is in them
    "zone_before_year_1": record(b'"timestamp":"0001-01-01T00:00:00+14:00"'),
    "zone_after_year_9999": record(b'"timestamp":"9999-12-31T23:59:59-14:00"'),
    "muted_before_year_1": record(b'"muted_until":"0001-01-01T00:00:00+14:00"'),
    "leap_second": record(b'"timestamp":"2016-12-31T23:59:60Z"'),
    "offset_with_seconds": record(b'"timestamp":"2016-12-31T23:59:50+05:30:30"'),
    "lone_high_surrogate": record(b'"name":"\\ud83d"'),
    "lone_low_surrogate_everywhere": page(
        b'{"id":"a\\udc00","\\udc00":["\\udc00",{"\\udc00":[["\\udc00"]]}],"folder":["\\udc00"]}',
        b'"\\udc00"',
    ),
    "surrogates_as_utf8": record(b'"name":"\xed\xa0\xbd"'),
    "nul_in_texts": page(b'{"id":"a\\u0000b","name":"\\u0000","folder":["\\u0000"]}'),
    "nested_900_in_unknown_field": record(b'"x":' + b"[" * 900 + b"]" * 900),
    "nested_900_in_folder": record(b'"folder":[' + b"[" * 900 + b"]" * 900 + b"]"),
    "integer_of_5000_digits": record(b'"x":' + b"9" * 5000),
    "integer_of_30_digits": record(b'"type":' + b"9" * 30),
    "float_overflow": record(b'"unread_count":1e400'),
    "nan_and_infinity": record(b'"type":NaN,"unread_count":-Infinity'),
    "field_named_as_our_own": record(b'"(extra)":"x","extra":{},"disabled_features":["x"]'),
    "every_field_of_a_wrong_type": record(
        b'"account_id":[],"name":{},"type":"x","timestamp":5,"unread_count":null,"archived":2,'
        b'"muted_until":true,"read_only":1.5,"pinned":"yes","folder":{},"disabledFeatures":[1,null]'
    ),
    "byte_order_mark": b"\xef\xbb\xbf" + page(CHAT),
    "utf_16": page(CHAT).decode().encode("utf-16"),
    "record_twice": page(CHAT + b"," + CHAT),
}

LIES = {  # each is an error
    "empty": b"",
    "null": b"null",
    "text": b'"items"',
    "list": b"[]",
    "half_of_it": page(CHAT)[:40],
    "two_documents": page(CHAT) + page(CHAT),
    "not_utf_8": record(b'"name":"\xff"'),
    "html": b"<!doctype html><html><body>login</body></html>",
    "error_flat": b'{"title":"x","detail":"y","type":"errors/no_channel","status":503}',
    "error_nested": b'{"error":{"code":"x","message":"y","request_id":"z"}}',
    "error_beside_an_empty_list": b'{"items":[],"cursor":null,"error":{"code":"x"}}',
    "status_beside_an_empty_list": b'{"data":[],"next_cursor":null,"status":500}',
    "both_lists": b'{"items":[],"cursor":null,"data":[{"id":"a"}],"next_cursor":"x"}',
    "no_list": b'{"object":"ChatList","cursor":null}',
    "no_cursor": b'{"items":[{"id":"a"}]}',
    "mixed_envelopes": b'{"items":[{"id":"a"}],"next_cursor":null}',
    "list_is_an_object": b'{"items":{"0":{"id":"a"}},"cursor":null}',
    "list_is_null": b'{"items":null,"cursor":null}',
    "cursor_is_a_number": b'{"items":[],"cursor":5}',
    "cursor_is_empty": b'{"items":[],"cursor":""}',
    "cursor_is_false": b'{"items":[],"cursor":false}',
    "cursor_is_nested_900": b'{"items":[],"cursor":' + b"[" * 900 + b"]" * 900 + b"}",
    "record_is_null": page(b"null"),
    "record_is_a_list_900_deep": page(b"[" * 900 + b"]" * 900),
    "id_is_a_number": page(b'{"id":1}'),
    "id_is_empty": page(b'{"id":""}'),
    "id_is_missing": page(CHAT + b',{"name":"x"}'),
    # Python 3.13 takes up to 10,000
    "nested_100000": record(b'"x":' + b"[" * 100_000 + b"]" * 100_000),
}

if __name__ == "__main__":
    for folder, bodies in (("pages", PAGES), ("lies", LIES)):
        place = Path(__file__).parent / folder
        place.mkdir(exist_ok=True)
        for name, body in bodies.items():
            (place / f"{name}.bin").write_bytes(body)
