"""The OpenAPI document of the list of chats, in the sandbox's own words.

Documented codes are closed enumerations, names that may grow (providers, content types, folders,
error types) are open ones: the known values, or any other text.
"""

from __future__ import annotations

from typing import Any

from .inbox import PROVIDERS
from .problems import DOCUMENTED
from .query import ACCOUNT_IDS

Schema = dict[str, Any]
CONTENT_TYPES = ("inmail", "sponsored", "linkedin_offer")
FOLDERS = (
    "INBOX",
    "INBOX_LINKEDIN_CLASSIC",
    "INBOX_LINKEDIN_RECRUITER",
    "INBOX_LINKEDIN_SALES_NAVIGATOR",
    "INBOX_LINKEDIN_ORGANIZATION",
)
FEATURES = ("reactions", "reply")
_YEAR = r"(?!0000)[0-9]{4}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
_DATETIME = rf"^{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T{_TIME}$"
_STATUS_TEXTS = {
    400: "Unverified, PostPress documents no 400: a parameter is not as documented.",
    401: "Credentials are missing, expired or invalid: the key's, or one linked account's.",
    403: "The account is restricted or the action isn't allowed.",
    500: "Something broke at PostPress or at the provider.",
    503: "Unable to handle the request for now.",
    504: "The provider took too long.",
}


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _open(description: str, known: tuple[str, ...]) -> Schema:
    return {"description": description, "anyOf": [{"enum": list(known)}, {"type": "string"}]}


def _codes(description: str, *codes: int) -> Schema:
    return {"type": "integer", "enum": list(codes), "description": description}


def _list(description: str, element: Schema) -> Schema:
    return {"type": "array", "items": element, "description": description}


_OPTIONAL: Schema = {
    "attendee_provider_id": _text("The other person's id at the provider; 1:1 chats only."),
    "disabledFeatures": _list(
        "What the provider has switched off for this chat.", _open("A feature.", FEATURES)
    ),
    "subject": _text("The subject, where the chat has one."),
    "organization_id": _text("LinkedIn only: the organization of an organization's mailbox."),
    "mailbox_id": _text("LinkedIn only: the mailbox of an organization."),
    "content_type": _open("LinkedIn only: what kind of content the chat is.", CONTENT_TYPES),
    "folder": _list(
        "The folders the chat lies in.", _open("A provider's folder or a custom name.", FOLDERS)
    ),
}
_REQUIRED: Schema = {
    "object": {"const": "Chat"},
    "id": _text("Unique id of the chat.", minLength=1),
    "account_id": _text("The linked account that owns the chat.", minLength=1),
    "account_type": _open("The provider behind the chat.", PROVIDERS),
    "provider_id": _text("The chat's id at the provider."),
    "name": {"type": ["string", "null"], "description": "Name of the chat or of the contact."},
    "type": _codes("0: 1:1, 1: group, 2: broadcast.", 0, 1, 2),
    "timestamp": {
        "type": ["string", "null"],
        "pattern": _DATETIME,
        "description": "Last activity, UTC.",
    },
    "unread_count": {
        "type": "integer",
        "description": "Unread messages. Unverified: -1 where marked unread by hand.",
    },
    "archived": _codes("1: archived.", 0, 1),
    "muted_until": {
        "description": "-1: muted for ever; a datetime: until then; null: not muted.",
        "anyOf": [{"const": -1}, {"type": "string", "pattern": _DATETIME}, {"type": "null"}],
    },
    "read_only": _codes("0: writable, 1: read-only, 2: locked.", 0, 1, 2),
    "pinned": _codes("1: pinned.", 0, 1),
}
_CURSOR: Schema = {
    "type": ["string", "null"],
    "description": "Leads to the next page; null on the last.",
}
_CHATS: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/Chat"}, "maxItems": 250}


def _object(required: Schema, optional: Schema | None = None, **more: Any) -> Schema:
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties, **more}


def _schemas() -> Schema:
    flat = _object(
        {
            "title": _text("What went wrong, in short."),
            "type": _open("The type of the error.", tuple(DOCUMENTED)),
            "status": {"type": "integer", "description": "The HTTP status."},
        },
        {
            "detail": _text("What went wrong, for people."),
            "instance": _text("The request, for support."),
        },
    )
    nested = _object(
        {"code": _text("The error."), "message": _text("For people.")},
        {"request_id": _text("The request, for support.")},
    )
    return {
        "Chat": _object(_REQUIRED, _OPTIONAL),
        "ChatList": _object({"object": {"const": "ChatList"}, "items": _CHATS, "cursor": _CURSOR}),
        "ChatData": _object({"data": _CHATS, "next_cursor": _CURSOR}),
        "FlatError": flat,
        "NestedError": _object({"error": nested}),
    }


def _parameter(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _parameters() -> list[Schema]:
    moment = {"type": "string", "pattern": _DATETIME, "format": "date-time"}
    limit = {"type": "integer", "minimum": 1, "maximum": 250, "default": 100}
    return [
        _parameter(
            "account_id",
            "One account id or several, comma-separated.",
            {"type": "string", "pattern": ACCOUNT_IDS},
        ),
        _parameter("account_type", "One provider.", {"type": "string", "enum": list(PROVIDERS)}),
        _parameter("unread", "true: only unread chats; false: only read.", {"type": "boolean"}),
        _parameter("before", "UTC, ms, exclusive. PostPress says: of creation.", moment),
        _parameter("after", "UTC, ms, exclusive. PostPress says: of creation.", moment),
        _parameter("limit", "Chats on a page.", limit),
        _parameter(
            "cursor",
            "A page's cursor, leading to the next; left out on the first call. The other "
            "parameters are ignored beside it.",
            {"type": "string"},
        ),
    ]


def _answer(description: str, *names: str) -> Schema:
    schemas = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    content = {"application/json": {"schema": {"oneOf": schemas}}}
    return {"description": description, "content": content}


def _status_text(status: int) -> str:
    types = [name for name, (of, _) in DOCUMENTED.items() if of == status]
    return " ".join([_STATUS_TEXTS[status], *(f"`{name}`" for name in types)])


def _operation(operation_id: str) -> Schema:
    errors = {
        str(status): _answer(_status_text(status), "FlatError", "NestedError")
        for status in _STATUS_TEXTS
    }
    return {
        "operationId": operation_id,
        "summary": "List chats",
        "description": "The chats of the linked accounts, page by page.",
        "parameters": _parameters(),
        "responses": {"200": _answer("A page of chats.", "ChatList", "ChatData"), **errors},
    }


def openapi_document() -> Schema:
    """The OpenAPI 3.1 document of what the sandbox serves under /v1 and /api/v1."""
    schemes = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "PostPress sandbox", "version": "1"},
        "paths": {
            "/v1/chats": {"get": _operation("listChats")},
            "/api/v1/chats": {"get": _operation("listChatsUnderApi")},
        },
        "components": {"schemas": _schemas(), "securitySchemes": schemes},
        "security": [{"key": []}, {"bearer": []}],
    }
