"""How long the suite takes: the quick verification by each implementation, and the tests, by the clock."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
IMPLEMENTATIONS = ("numpy", "torch", "compiled")


def _clock(arguments: Sequence[str], folder: str | Path = ROOT) -> dict[str, Any]:
    begun = time.monotonic()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=folder, check=False)
    said = (done.stdout.strip() or done.stderr.strip()).splitlines() or [""]
    return {"seconds": time.monotonic() - begun, "status": done.returncode, "said": said[-1][:200]}


def verification(implementations: Sequence[str] = IMPLEMENTATIONS, only: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Seconds of `depthlimit verify`, quick profile, with as many workers as there are cores; only: claims, default all."""
    found = []
    for name in implementations:
        with tempfile.TemporaryDirectory() as folder:
            options = ["--implementation", name, "--out", "run", *(a for c in only for a in ("--only", c))]
            found.append({"name": name, **_clock(["-c", "from depthlimit.cli import main; main()", "verify", *options], folder)})
    return found


def tests(arguments: Sequence[str] = ("-n", "auto", "--dist", "loadgroup")) -> list[dict[str, Any]]:
    """Seconds of `make test`."""
    return [{"name": "make test", **_clock(["-m", "pytest", "-q", *arguments])}]
