"""A local PostPress with the documented semantics, for trying, testing and measuring without a key.

`World` and `generate_world` are pure Python; `serve`, `serve_process` and `run_forever` need the
extra ``postpress-source[sandbox]``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .generate import generate_world
from .options import WorldOptions
from .problems import DOCUMENTED, ApiError
from .world import ABSENT, Account, World

if TYPE_CHECKING:
    from .faults import Fault
    from .gate import RateLimit, Sandbox
    from .server import SandboxProcess, run_forever, serve, serve_process

__all__ = [
    "ABSENT",
    "DOCUMENTED",
    "Account",
    "ApiError",
    "Fault",
    "RateLimit",
    "Sandbox",
    "SandboxProcess",
    "World",
    "WorldOptions",
    "generate_world",
    "run_forever",
    "serve",
    "serve_process",
]
_SERVED = {
    "Fault": "faults",
    "RateLimit": "gate",
    "Sandbox": "gate",
    "SandboxProcess": "server",
    "run_forever": "server",
    "serve": "server",
    "serve_process": "server",
}


def __getattr__(name: str) -> Any:
    """Import what needs FastAPI only when it is asked for."""
    if name not in _SERVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_SERVED[name]}", __name__), name)
