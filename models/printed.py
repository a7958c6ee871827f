"""What an implementation prints, by the method in which it does.

`Printed` turns standard output and error of the process into a file, below Python, so that compiled code is heard too. A call costs a few
system calls, whatever it prints; of each method the first distinct words are kept and the rest is counted.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEPT = 600  # characters of what a method prints on one instance
_C = ctypes.CDLL(None)  # the C library: what it holds back is flushed


def shortened(words: str, length: int = KEPT) -> str:
    """The beginning and the end of a text, on so many characters."""
    return words if len(words) <= length else f"{words[: length // 2]} ... {words[-(length // 2) :]}"


def last_words(path: Path) -> str:
    """What a process had printed in the call of which it died."""
    return shortened(_text(path.read_bytes()[-4 * KEPT :])) if path.exists() else ""


def _text(printed: bytes) -> str:
    """Letters alone: what steers a terminal is left out."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in printed.decode("utf-8", "replace")).strip()


class Printed:
    """Standard output and error of this process from now on, in a file.

    `heard`: by method, in how many calls something was printed, and the first of it.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_TRUNC)
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            os.dup2(self._handle, descriptor)
        sys.stdout = sys.stderr = os.fdopen(self._handle, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        self.heard: dict[str, dict[str, Any]] = {}

    def _taken(self) -> bytes:
        """What was printed since the last time."""
        sys.stdout.flush()
        sys.stderr.flush()
        _C.fflush(None)
        size = os.fstat(self._handle).st_size
        if not size:
            return b""
        found = os.pread(self._handle, 2 * KEPT, 0)
        if size > len(found):
            found += b" ... " + os.pread(self._handle, KEPT, size - KEPT)
        os.ftruncate(self._handle, 0)
        return found

    @contextmanager
    def during(self, method: str) -> Iterator[None]:
        """What is printed within the block is the method's; what was before is nobody's."""
        self._taken()
        try:
            yield
        finally:
            if words := _text(self._taken()):
                before = self.heard.setdefault(method, {"calls": 0, "text": ""})
                before["calls"] += 1
                if words not in before["text"] and len(before["text"]) < KEPT:
                    before["text"] = shortened(f"{before['text']}\n{words}".strip())

    @contextmanager
    def of_unit(self) -> Iterator[None]:
        """Begins anew; what Python warns of once is warned of once within the block."""
        self.heard = {}
        with warnings.catch_warnings():
            yield
