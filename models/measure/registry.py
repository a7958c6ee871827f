"""Which function measures which quantity on which kind of run: the other half of the join.

    @measures("gap", on=Trajectory)
    def gap(run: Trajectory) -> Field: ...

`Fields` is the mapping that a claim is judged on: it measures a quantity when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from depthlimit.theory.quantity import Field
from depthlimit.theory.registry import quantities

_MEASURES: dict[str, list[tuple[type, Callable[[Any], Field | Mapping[str, Field]]]]] = {}


def measures(*names: str, on: type) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register a function of a run of type `on` as the supplier of the named quantities.

    It returns a Field for one name, a mapping from name to Field for several. A name that theory does not list is an error.
    """

    def wrap(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        for name in names:
            if name not in quantities():
                raise ValueError(f"{function.__name__} measures {name}, which is no quantity of the theory")
            if any(kind is on for kind, _ in _MEASURES.get(name, [])):
                raise ValueError(f"{name} on {on.__name__} is measured already")
            _MEASURES.setdefault(name, []).append((on, function))
        return function

    return wrap


def measured(name: str, kind: type) -> bool:
    """Whether runs of this type supply the quantity."""
    return any(issubclass(kind, on) for on, _ in _MEASURES.get(name, []))


class Fields(Mapping[str, Field]):
    """The fields of one run, measured on demand and kept. An exception of a measure is kept too and raised again."""

    def __init__(self, run: Any) -> None:
        self.run = run
        self._known: dict[str, Field | Exception] = {}

    def __getitem__(self, name: str) -> Field:
        if name not in self._known:
            function = next((f for kind, f in _MEASURES.get(name, []) if isinstance(self.run, kind)), None)
            if function is None:
                raise KeyError(name)
            try:
                found = function(self.run)
                self._known.update(found if isinstance(found, Mapping) else {name: found})
            except Exception as error:
                self._known[name] = error
        value = self._known[name]
        if isinstance(value, Exception):
            raise value
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in _MEASURES if measured(name, type(self.run)))

    def __len__(self) -> int:
        return sum(1 for _ in self)
