"""The errors a PostPress answers with: the 31 documented types and a few the documents lack."""

from __future__ import annotations

DOCUMENTED: dict[str, tuple[int, str]] = {
    "errors/missing_credentials": (401, "The request carries no credentials."),
    "errors/multiple_sessions": (401, "LinkedIn allows this account no further session."),
    "errors/invalid_checkpoint_solution": (401, "The checkpoint's solution was not accepted."),
    "errors/invalid_proxy_credentials": (401, "The proxy refused its credentials."),
    "errors/checkpoint_error": (401, "The checkpoint seems impossible to resolve."),
    "errors/invalid_credentials": (401, "The credentials were refused."),
    "errors/expired_credentials": (401, "The account has to be connected again."),
    "errors/insufficient_privileges": (401, "The API key's scopes don't cover this resource."),
    "errors/disconnected_account": (401, "The account is cut off from its provider."),
    "errors/disconnected_feature": (401, "The service behind this feature is disconnected."),
    "errors/invalid_credentials_but_valid_account_imap": (
        401,
        "IMAP or SMTP refused the credentials; the account itself is fine.",
    ),
    "errors/expired_link": (401, "The link is too old; make a new one."),
    "errors/wrong_account": (401, "These credentials belong to another account."),
    "errors/account_restricted": (403, "The provider has restricted the account."),
    "errors/account_mismatch": (403, "The account can't take this action."),
    "errors/insufficient_permissions": (403, "Known, but not permitted to do this."),
    "errors/session_mismatch": (403, "The token's user isn't the session's."),
    "errors/feature_not_subscribed": (403, "The feature isn't subscribed."),
    "errors/subscription_required": (403, "The feature needs a subscription."),
    "errors/unknown_authentication_context": (403, "The login needs one more step."),
    "errors/action_required": (403, "Finish the login in the provider's own application."),
    "errors/resource_access_restricted": (403, "This resource is closed to you."),
    "errors/unexpected_error": (500, "Something broke."),
    "errors/provider_error": (500, "The provider has trouble; try later."),
    "errors/authentication_intent_error": (500, "The login attempt was ended; start it again."),
    "errors/no_client_session": (503, "No client session runs."),
    "errors/no_channel": (503, "There is no channel to the client session."),
    "errors/no_handler": (503, "Nothing handles this request."),
    "errors/network_down": (503, "The server's network is down; try again soon."),
    "errors/service_unavailable": (503, "The service is away; try again later."),
    "errors/request_timeout": (504, "The provider took too long."),
}
"""Type -> status and text, all 31 of the reference page (the texts are the sandbox's own)."""

UNDOCUMENTED: dict[str, tuple[int, str]] = {
    "errors/invalid_parameters": (400, "A parameter is not as documented."),
    "errors/resource_not_found": (404, "There is nothing here."),
    "errors/method_not_allowed": (405, "This path doesn't take this method."),
    "errors/unprocessable_content": (422, "The request was read, but can't be carried out."),
    "errors/too_many_requests": (429, "Too many requests; wait."),
    "errors/bad_gateway": (502, "The gateway got no sound answer."),
}
"""Unverified: statuses that happen while PostPress documents no type for them."""


class ApiError(Exception):
    """A request that the world refuses.

    Attributes:
        type: One of `DOCUMENTED` or `UNDOCUMENTED`.
        status: The HTTP status that belongs to it.
        detail: What is wrong with this request.
    """

    def __init__(self, type: str, detail: str | None = None) -> None:
        """Build the error of a known type; ``detail`` defaults to the type's text."""
        self.type = type
        self.status, text = DOCUMENTED.get(type) or UNDOCUMENTED[type]
        self.detail = detail or text
        super().__init__(f"{self.status} {type}: {self.detail}")

    def body(self, envelope: str, instance: str) -> dict[str, object]:
        """The body in the ``flat`` or the ``nested`` envelope; ``instance`` names the request."""
        if envelope == "nested":
            error = {"code": self.type, "message": self.detail, "request_id": instance}
            return {"error": error}
        return {
            "title": self.type.removeprefix("errors/").replace("_", " ").capitalize(),
            "detail": self.detail,
            "instance": instance,
            "type": self.type,
            "status": self.status,
        }
