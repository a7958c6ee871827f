"""What the project's own tests share; the wheel does not ship it."""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any

import pytest

_SHARING = {  # modules whose tests look at the same runs, or need a GPU one after the other
    "cuda": ("devices",),
    "faults": ("faults", "registry", "thm4", "double"),
    "diagnosis": ("diagnosis", "break"),
    "oracle": ("oracle", "printed", "form"),
}
_LONG = ("readme", "adapters", "diagnosis", "faults", "form", "plugin", "verify")  # at the end they would keep one worker while others rest
_GROUPS = {f"test_{module}.py": group for group, modules in _SHARING.items() for module in modules}

pytest_plugins = ["pytester"]  # the plugin's tests run pytest on small projects of their own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with long tests come first."""
    places = {f"test_{module}.py": place for place, module in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish() -> None:
    """Formulas and tests stay to the end: a collector that looks through them again and again takes a sixth of the time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> Generator[None, Any, Any]:
    """One worker runs the tests of a group, by the name of their module: of marks see the plugin's own hook. Groups keep that order."""
    config.option.loadscopereorder = False
    scheduler = yield
    if config.option.dist == "loadgroup":
        split = scheduler._split_scope
        scheduler._split_scope = lambda nodeid: _GROUPS.get(nodeid.partition("::")[0].rpartition("/")[2]) or split(nodeid)
    return scheduler
