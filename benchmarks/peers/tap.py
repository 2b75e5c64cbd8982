"""A Singer tap on Meltano's SDK, as its template makes one: a REST stream with a cursor.

python tap.py --config CONFIG
"""

from typing import Any, ClassVar

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import APIKeyAuthenticator

TEXT, INTEGER = th.StringType, th.IntegerType


class Chats(RESTStream[str]):
    """All chats."""

    name = "chats"
    path = "/chats"
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    records_jsonpath = "$.items[*]"
    next_page_token_jsonpath = "$.cursor"  # noqa: S105 - no secret
    schema = th.PropertiesList(
        th.Property("id", TEXT, required=True),
        *(
            th.Property(name, TEXT)
            for name in (
                "object",
                "account_id",
                "account_type",
                "provider_id",
                "attendee_provider_id",
                "name",
                "subject",
                "organization_id",
                "mailbox_id",
                "content_type",
            )
        ),
        *(
            th.Property(name, INTEGER)
            for name in ("type", "unread_count", "archived", "read_only", "pinned")
        ),
        th.Property("timestamp", th.DateTimeType),
        th.Property("muted_until", th.CustomType({"type": ["string", "integer", "null"]})),
        th.Property("folder", th.ArrayType(TEXT)),
        th.Property("disabledFeatures", th.ArrayType(TEXT)),
    ).to_dict()

    @property
    def url_base(self) -> str:
        """From the settings."""
        return str(self.config["base_url"])

    @property
    def authenticator(self) -> APIKeyAuthenticator:
        """The key in its header."""
        return APIKeyAuthenticator(key="X-API-KEY", value=self.config["api_key"], location="header")

    def get_url_params(self, context: Any, next_page_token: str | None) -> dict[str, Any]:
        """The largest page, and the cursor."""
        return {"limit": 250} | ({"cursor": next_page_token} if next_page_token else {})


class TapPostpress(Tap):
    """The tap."""

    name = "tap-postpress"
    config_jsonschema = th.PropertiesList(
        th.Property("base_url", TEXT, required=True),
        th.Property("api_key", TEXT, required=True, secret=True),
    ).to_dict()

    def discover_streams(self) -> list[Chats]:
        """One stream."""
        return [Chats(self)]


if __name__ == "__main__":
    TapPostpress.cli()
