"""The served OpenAPI document: what it promises, and that no answer contradicts it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from postpress_source.sandbox import World, generate_world, serve
from postpress_source.sandbox.openapi import openapi_document
from postpress_source.sandbox.problems import DOCUMENTED

NOW = datetime(2026, 5, 17, 9, 42, 11, tzinfo=UTC)
KEY = {"X-API-KEY": "pp_live_x"}


def worlds() -> dict[str, World]:
    sick = generate_world(30, 3, now=NOW, sick_in_list="fails")
    sick.disconnect_account(next(iter(sick.accounts)), "errors/no_channel")
    other = generate_world(300, 4, now=NOW, envelope="data", error_envelope="nested")
    return {"plain": generate_world(300, 7, now=NOW), "other envelopes": other, "sick": sick}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "other envelopes", "sick"])
def test_no_answer_contradicts_the_document(name: str) -> None:
    """Schemathesis: requests that fit the document, and requests that break it, 40 of each."""
    # A sick account's 503 is what the document says, so there it counts as no failure.
    excluded = [not_a_server_error, positive_data_acceptance] if name == "sick" else []
    with serve(worlds()[name]) as sandbox:
        origin = sandbox.url.removesuffix("/v1")
        schema = schemathesis.openapi.from_url(f"{origin}/openapi.json")
        operation = schema["/v1/chats"]["GET"]
        token = None if name == "sick" else sandbox.world.first_page().cursor
        for mode in schemathesis.GenerationMode:
            ask_all(operation, mode, token, excluded)
        statuses = {request.status for request in sandbox.requests}
    assert statuses >= ({503, 400} if name == "sick" else {200, 400})
    assert statuses <= {200, 400, 401, 405, 503}


def ask_all(
    operation: Any, mode: schemathesis.GenerationMode, token: str | None, excluded: list[Any]
) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        if mode is schemathesis.GenerationMode.POSITIVE and "cursor" in (case.query or {}):
            # That a cursor must be one of the server's own is beyond a schema.
            del case.query["cursor"]
            if token is not None:
                case.query["cursor"] = token
        case.call_and_validate(headers=KEY, excluded_checks=excluded)

    ask()


def test_the_document_is_the_one_served_and_speaks_of_all_that_is_documented() -> None:
    document = openapi_document()
    operation = document["paths"]["/v1/chats"]["get"]
    names = [parameter["name"] for parameter in operation["parameters"]]
    assert names == ["account_id", "account_type", "unread", "before", "after", "limit", "cursor"]
    assert all(parameter["description"] for parameter in operation["parameters"])
    limit = operation["parameters"][5]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 250, 100)
    assert set(operation["responses"]) == {"200", "400", "401", "403", "500", "503", "504"}
    told = json.dumps(operation["responses"])
    assert all(f"`{name}`" in told for name in DOCUMENTED)
    chat = document["components"]["schemas"]["Chat"]
    assert len(chat["properties"]) == 20
    assert all("description" in field or "const" in field for field in chat["properties"].values())


def test_generated_chats_have_no_field_that_the_document_lacks() -> None:
    fields = openapi_document()["components"]["schemas"]["Chat"]["properties"]
    world = generate_world(2000, 7, now=NOW)
    assert {name for chat in world.relist() for name in chat} == set(fields)


def test_the_sandbox_imports_nothing_of_the_connector() -> None:
    folder = Path(__file__).parents[2] / "postpress_source" / "sandbox"
    files = list(folder.glob("*.py"))
    assert len(files) > 10
    for file in files:
        text = file.read_text()
        assert not re.search(r"^\s*(from|import)\s+(\.\.|postpress_source)", text, re.M), file
