"""The PostPress inbox in your warehouse, nothing lost: a dlt source."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postpress_source.chats.tables import by_row
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

    __version__: str

__all__ = [
    "PostpressAccountError",
    "PostpressArgumentError",
    "PostpressAuthError",
    "PostpressContractError",
    "PostpressError",
    "PostpressRequestError",
    "PostpressUnavailableError",
    "__version__",
    "by_row",
    "postpress_source",
]
_HOMES = {"postpress_source": "source", "by_row": "chats.tables"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: dlt takes seconds, and `postpress --help` needs none.

    Raises:
        AttributeError: The package has no such name.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        value = version("postpress-source")
    else:
        module = import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
        value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
