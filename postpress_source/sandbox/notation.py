"""How a chat's numbers and instants are written, where the API may not write them as documented."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from . import clock
from .options import Instants, Numbers, WorldOptions
from .store import Chat, decode, encode

_FLAGS = ("archived", "pinned")
_NUMBERS = ("type", "unread_count", "archived", "muted_until", "read_only", "pinned")
_INSTANTS = ("timestamp", "muted_until")
_WRITE_NUMBER: dict[str, Callable[[int], object]] = {
    "booleans": bool,
    "floats": float,
    "texts": str,
}
_WRITE_INSTANT: dict[str, Callable[[str], str]] = {
    "offset": lambda text: text[:-1] + "+00:00",
    "seconds": lambda text: text[:19] + "Z",
    "microseconds": lambda text: text[:-1] + "000Z",
    "no_zone": lambda text: text[:-1],
}


def is_plain(options: WorldOptions) -> bool:
    """Whether everything is written as documented."""
    return options.numbers == "integers" and options.instants == "milliseconds"


def rewrite(chat: Chat, options: WorldOptions) -> Chat:
    """The chat, changed in place, as these options write it."""
    _write_numbers(chat, options.numbers)
    _write_instants(chat, options.instants)
    return chat


def rewrite_body(body: bytes, options: WorldOptions) -> bytes:
    """A documented chat's JSON as these options write it."""
    return _rewritten(body, options.numbers, options.instants)


@lru_cache(maxsize=8192)  # a chat that doesn't change is shown on many walks
def _rewritten(body: bytes, numbers: Numbers, instants: Instants) -> bytes:
    chat: Chat = decode(body)
    _write_numbers(chat, numbers)
    _write_instants(chat, instants)
    return encode(chat)


def _write_numbers(chat: Chat, numbers: Numbers) -> None:
    write = _WRITE_NUMBER.get(numbers)
    if write is None:
        return
    for name in _FLAGS if numbers == "booleans" else _NUMBERS:
        value: Any = chat.get(name)
        if type(value) is int:
            chat[name] = write(value)


def _write_instants(chat: Chat, instants: Instants) -> None:
    write = _WRITE_INSTANT.get(instants)
    if write is None:
        return
    for name in _INSTANTS:
        value = chat.get(name)
        if isinstance(value, str) and clock.API_DATETIME.fullmatch(value):
            chat[name] = write(value)
