"""How functions are compiled: with which liberties of floating point, and where the machine code is kept.

Numba keeps compiled code and looks at one source file to tell whether it is stale. Ours is made of several files, so it is kept in a
folder named by the digest of all of them: below NUMBA_CACHE_DIR, or $XDG_CACHE_HOME (~/.cache), and nowhere if none can be written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import config

F = TypeVar("F", bound=Callable[..., object])

# "contract": a product and a sum may round once. Nothing may be reassociated: reductions of arguments rest on the order of operations, and
# LLVM does not vectorise them otherwise. Under Python's error model a division branches.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}


def inner(function: F) -> F:
    """A function for compiled functions to call; it is compiled with them."""
    compiled: F = numba.njit(function, **_OPTIONS)
    return compiled


def inline(function: F) -> F:
    """A function that becomes part of what calls it: loops over functions of numbers are vectorised, and arrays are not handed over."""
    compiled: F = numba.njit(function, forceinline=True, **_OPTIONS)
    return compiled


def summed(function: F) -> F:
    """`inner` for a function of sums and nothing else, whose terms may be added in any order."""
    compiled: F = numba.njit(function, **{**_OPTIONS, "fastmath": {"contract", "reassoc"}})
    return compiled


def entry(function: F) -> F:
    """A function for Python to call, compiled at the first call of all and kept on disk; it releases the interpreter's lock."""
    compiled: F = _kept(lambda cache: numba.njit(function, nogil=True, cache=cache, **_OPTIONS))
    return compiled


def pointer(signature: Any) -> Callable[[F], Any]:
    """A function for C to call, compiled when it is defined and kept on disk; `address` is where it begins."""
    return lambda function: _kept(lambda cache: numba.cfunc(signature, cache=cache, **_OPTIONS)(function))


def folder() -> Path:
    """Where the machine code of these sources is kept; it need not exist."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    base = config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "depthlimit" / digest[:16]


def _kept(compiled: Callable[[bool], Any]) -> Any:
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder())
    try:
        return compiled(True)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return compiled(False)  # no folder can be written: each process compiles for itself
    finally:
        config.CACHE_DIR = before
