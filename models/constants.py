"""The constants of claims on instances: fields from the NumPy implementation, formulas and enclosures from theory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from depthlimit.models.check import applicable, run
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory.claim import Claim
from depthlimit.theory.constants import INPUTS, activation_rows, listed, row
from depthlimit.theory.registry import quantities


def table(
    spec: Spec, selected: Iterable[Claim] | None = None, arrays: ArrayStore | None = None, inputs: Iterable[str] = INPUTS
) -> dict[str, Any]:
    """Every constant of the claims that apply to a Spec, on the inputs that are asked for: an item of `CONSTANTS_SCHEMA`."""
    wanted = set(inputs)
    used = [c for c in applicable(spec, selected) if c.inputs in wanted]
    vocabulary = quantities()
    fields = Fields(run(spec, NumpyImplementation(), arrays))
    sigma = spec.activation
    rows = activation_rows(sigma.name, sigma.a, sigma.b)
    known = {r["name"] for r in rows}
    rows += [row(c, fields, vocabulary) for c in listed(used, vocabulary) if c.kind != "quantity" or c.name not in known]
    return {"regime": spec.regime.kind, "spec": spec.to_json(), "constants": rows}


def tables(specs: Iterable[Spec], selected: Iterable[Claim] | None = None, arrays: ArrayStore | None = None) -> list[dict[str, Any]]:
    """The tables of the first Spec of each regime; a regime whose claims define nothing has none."""
    first: dict[str, Spec] = {}
    for spec in specs:
        first.setdefault(spec.regime.kind, spec)
    chosen = list(selected) if selected is not None else None
    found = [table(spec, chosen, arrays) for spec in first.values()]
    return [t for t in found if any(r["kind"] != "activation" for r in t["constants"])]
