"""What the project's own tests share; the wheel does not ship it."""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any

import pytest

pytest_plugins = ["pytester"]  # the plugin's tests run pytest on small projects of their own


def pytest_collection_finish() -> None:
    """Formulas and tests stay to the end: a collector that looks through them again and again takes a sixth of the time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> Generator[None, Any, Any]:
    """One worker runs the tests that need a GPU, one after the other; by name, as the plugin's own hook says."""
    scheduler = yield
    if config.option.dist == "loadgroup":
        split = scheduler._split_scope
        scheduler._split_scope = lambda nodeid: "cuda" if "/test_devices.py::" in nodeid else split(nodeid)
    return scheduler
