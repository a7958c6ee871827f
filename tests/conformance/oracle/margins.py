"""How far a recorded number may lie from the same number of another run that is just as right: what the radii of the records allow.

Two right runs enclose the same true values, so a side differs by at most the sum of its radii, and the log10 of a ratio by what that
makes of it. A worst ratio is a maximum over instances i of a_i in one run and of b_i in the other; if each |a_i - b_i| <= e_i, then
|max a - max b| is at most the larger e_i of the two instances at which the maxima are attained.

Radii of `local` quantities enclose rounding at the run's own state. Where that was solved for, by a flow or a neural ODE, another run has
another state, within the errors of both solvers, and such a record is compared by its verdict alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.registry import quantities

Item = Mapping[str, Any]
GIVEN = ("iid-ladder", "random-matrix", "kernel-matrix", "network")  # every state is a parameter or computed from it directly
ODES = ("euler-scheme", "euler-ladder", "general-euler")  # states of a neural ODE, which has a solver of its own and no training time
EPSILON = 2.0**-52
SIDES = ("lhs", "rhs")


@cache
def _local(names: frozenset[str]) -> bool:
    known = quantities()
    return any(known[name].local and not known[name].exact for name in names)


def own_state(claim: Claim, item: Item) -> bool:
    """Whether a record is about a state that was solved for, which is the run's own; the initial state of a flow is not."""
    given = item["regime"] in GIVEN or (item["regime"] not in ODES and (item["where"]["time"] == 0 or item["spec"]["times"] == [0.0]))
    return not given and _local(claim.symbols())


def norm_rounding(item: Item) -> float:
    """Relative rounding of a side that is recorded as a norm, which its radius does not hold: N/2 + 1 units for N entries of an array."""
    spec = item["spec"]
    entries = max(spec["q"], spec["dout"]) * max(spec[key] for key in ("d", "q", "m", "n"))
    return float((entries / 2 + 1) * EPSILON / 2)


def radius(item: Item) -> float:
    """How far log10_tightness of an inequality may be off (log10 of its negative for towers), by the radii of both sides; inf if unknown.

    a/b is off by a factor of at most (1 + e_a/a)/(1 - e_b/b) up or (1 + e_b/b)/(1 - e_a/a) down. Of a tower only the bound is recorded;
    what was measured is taken as resolved to 1/RESOLUTION, as for any verdict. The last term is the rounding of the logarithms.
    """
    value = item["log10_tightness"]
    if value is None:
        return math.inf
    sides = [(item[name], item[f"{name}_radius"]) for name in SIDES]
    if item["scale"] == "log10log10":
        error = sides[1][1] + math.log10(math.e) ** 2 / J.RESOLUTION * 10.0**-value
    elif item["scale"] == "log10":
        error = sum(e for _, e in sides)
    elif any(x is None or e is None or e >= abs(x) for x, e in sides):
        return math.inf
    else:
        a, b = (e / abs(x) for x, e in sides)
        error = max(math.log1p(a) - math.log1p(-b), math.log1p(b) - math.log1p(-a)) / math.log(10)
    return float(error + 4 * EPSILON * max(1.0, abs(value)))
