"""What a chat is: the one list of its fields.

A field is one line of `Chat`, its name, type and meaning; JSON (`records`), Arrow (`tables`), dlt
(`columns`) and the README take it from there. Each type is what the reference page "List all chats"
(May 2026) documents; a value of any other type is read in `records`, the slow way.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(min_length=1)]
Text = str | None
Texts = list[str] | None
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None
Flag = Annotated[int, Meta(ge=0, le=1)] | None
"""0 or 1 in JSON, a boolean in the table."""
Moment = Annotated[datetime, Meta(tz=True)]
Instant = Moment | None
Mute = Annotated[int, Meta(ge=-1, le=-1)] | Moment | None
"""-1 is for ever, which the table says in a column of its own."""


class Field(NamedTuple):
    """A column: its name in the tables, that in the API's JSON, its type, and what it means."""

    name: str
    api_name: str
    type: Any
    meaning: str

    @property
    def nullable(self) -> bool:
        """Whether null is a value of it."""
        return type(None) in typing.get_args(self.type)


def says(meaning: str) -> Meta:
    """What a field means, beside its type."""
    return Meta(description=meaning)


def fields_of(struct: type[msgspec.Struct]) -> list[Field]:
    """The fields of a struct, each annotated as `Annotated[type, says(meaning)]`."""
    return [
        Field(field.name, field.encode_name, *_type_and_meaning(field.type))
        for field in msgspec.structs.fields(struct)
    ]


def _type_and_meaning(annotated: Any) -> tuple[Any, str]:
    *inner, said = annotated.__metadata__  # Python puts Annotated in Annotated into one
    of = annotated.__origin__
    return (Annotated[(of, *inner)] if inner else of), said.description


class Chat(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="object", tag="Chat"):
    """A chat all of whose values are as documented; absent is None, as is null."""

    id: Annotated[Id, says("Unique chat id, opaque. The key.")]
    account_id: Annotated[Text, says("The connected PostPress account that owns the chat.")] = None
    account_type: Annotated[
        Text,
        says(
            "Provider: WHATSAPP, LINKEDIN, SLACK, TWITTER, MESSENGER, INSTAGRAM or TELEGRAM; "
            "others may appear."
        ),
    ] = None
    provider_id: Annotated[Text, says("The provider's own chat id.")] = None
    attendee_provider_id: Annotated[
        Text,
        says(
            "The provider's id of the other attendee of a 1:1 chat; null elsewhere. One person can "
            "have several chats: never a key."
        ),
    ] = None
    name: Annotated[Text, says("Chat or contact name; null where the provider gives none.")] = None
    type: Annotated[Whole, says("0 = 1:1, 1 = group, 2 = broadcast; other codes may appear.")] = (
        None
    )
    timestamp: Annotated[
        Instant,
        says("Last activity, UTC, milliseconds; null where unknown. Not the time of creation."),
    ] = None
    unread_count: Annotated[
        Whole,
        says("Unread messages. Unread means <> 0: -1 is seen where one was marked by hand."),
    ] = None
    archived: Annotated[Flag, says("Whether the chat is archived.")] = None
    muted_until: Annotated[
        Mute, says("Muted until then, UTC; null where not muted, or muted for ever.")
    ] = None
    read_only: Annotated[
        Whole, says("0 = writable, 1 = read-only, 2 = locked; others may appear.")
    ] = None
    subject: Annotated[Text, says("Subject, where the chat has one; else null.")] = None
    organization_id: Annotated[Text, says("LinkedIn organization mailboxes only; else null.")] = (
        None
    )
    mailbox_id: Annotated[Text, says("LinkedIn organization mailboxes only; else null.")] = None
    content_type: Annotated[
        Text, says("LinkedIn: inmail, sponsored, linkedin_offer; others may appear; else null.")
    ] = None
    pinned: Annotated[
        Flag, says("Whether the chat is pinned; null where the API leaves it out.")
    ] = None
    folder: Annotated[
        Texts,
        says(
            "Folders of the chat, in order: INBOX, INBOX_LINKEDIN_CLASSIC, _RECRUITER, "
            "_SALES_NAVIGATOR, _ORGANIZATION, and custom names."
        ),
    ] = None
    disabled_features: Annotated[
        Texts,
        says("Features the provider disables for the chat, in order: reactions, reply, others."),
    ] = msgspec.field(name="disabledFeatures", default=None)

    @property
    def muted_forever(self) -> int:
        """The column of that name: 0 or 1, as flags are."""
        return int(self.muted_until == -1)

    @property
    def extra(self) -> str | None:
        """The column of that name: nothing is left over."""
        return None


class OddChat(Chat, gc=False):
    """A chat whose record had more than its columns can say, or said it in another way.

    No JSON is decoded as this type, so no key of the API's sets `extra`.
    """

    extra: str | None = None


FIELDS: Final = fields_of(Chat)
"""What the API documents."""

_MUTED_FOREVER: Final = Field(
    "muted_forever",
    "muted_until",
    bool | None,
    "Whether the chat is muted with no end (the API's muted_until = -1).",
)
_EXTRA: Final = Field(
    "extra",
    "",
    Text,
    "JSON object of what has no column: fields that no document names, and values that don't fit "
    "their column, by the API's name. Null where there is nothing.",
)


def _columns() -> Iterator[Field]:
    for field in FIELDS:
        if field.type != Texts:
            yield field
        if field.name == "muted_until":
            yield _MUTED_FOREVER
    yield _EXTRA
    yield from LISTS


LISTS: Final = [field for field in FIELDS if field.type == Texts]
"""The arrays, which SQL destinations get as tables of their own."""
COLUMNS: Final = list(_columns())
"""The columns of `chats`, those of dlt's left out; the arrays last."""
