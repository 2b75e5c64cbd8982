"""The PostPress inbox in your warehouse, nothing lost: a dlt source."""

from postpress_source.errors import (
    PostpressAccountError,
    PostpressArgumentError,
    PostpressAuthError,
    PostpressContractError,
    PostpressError,
    PostpressRequestError,
    PostpressUnavailableError,
)
from postpress_source.source import postpress_source

__all__ = [
    "PostpressAccountError",
    "PostpressArgumentError",
    "PostpressAuthError",
    "PostpressContractError",
    "PostpressError",
    "PostpressRequestError",
    "PostpressUnavailableError",
    "postpress_source",
]
