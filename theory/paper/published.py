"""Values of Figures 1 and 2 (p. 8) as read off the page, with how they were read and within what they are true."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def readings() -> dict[str, Any]:
    """The readings by figure: fig1-left [iteration depth], fig1-right V and W [iteration depth], fig2 loss and lines of entries."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
    return found
