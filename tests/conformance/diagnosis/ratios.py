"""Numbers by which answers differ from right ones, and their names: products of powers of the sizes, or one constant."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from depthlimit.conformance.diagnosis.questions import Question
from depthlimit.theory.quantity import Array

SIZES = ("L", "m", "q", "n", "d", "dout")
CONSTANT = 1e-6  # relative spread up to which ratios are one number: above what flows may err, below any ratio that is looked for


def monomials() -> Iterator[tuple[str, dict[str, float]]]:
    """Factors of which a formula may lack one: powers of one or two sizes, times a power of 2, the simplest first."""
    powers = (1.0, -1.0, 0.5, -0.5)
    terms = [{k: p} for k in SIZES for p in powers]
    pairs = [{a: p, b: r} for a, b in itertools.combinations(SIZES, 2) for p in powers for r in powers]
    found = [({**m, "2": t}) for m in [{}, *terms, *pairs] for t in (0.0, 1.0, -1.0)]
    for exponents in sorted(found, key=lambda m: sum(0 if p == 0 else 1 + (abs(p) != 1) for p in m.values())):
        yield _name(exponents), exponents


def _name(exponents: Mapping[str, float]) -> str:
    """Empty for 1."""

    def product(sign: int) -> str:
        return " ".join(k if abs(p) == 1 else f"√{k}" for k, p in exponents.items() if p * sign > 0)

    over, under = product(1), product(-1)
    if not under:
        return over
    return f"{over or 1}/({under})" if " " in under else f"{over or 1}/{under}"


def same(ratios: Sequence[float]) -> str:
    """A number other than 1 that all ratios are; else empty."""
    one = float(np.median(ratios))
    return f"{one:.6g}" if all(abs(r / one - 1) <= CONSTANT for r in ratios) and abs(one - 1) > CONSTANT else ""


def at_sizes(q: Question, name: str) -> str:
    """The sizes that stand in the name, with their values; empty if there are none."""
    sizes = [
        f"{k}={q.network[k]}" for k in SIZES if k in name.replace("√", " ").replace("/", " ").replace("(", " ").replace(")", " ").split()
    ]
    return f" at {', '.join(sizes)}" if sizes else ""


def constant(a: Array, b: Array) -> float | None:
    """The r with a = r b, if there is one."""
    square = float(np.vdot(b, b))
    if square == 0:
        return None
    r = float(np.vdot(b, a)) / square
    return r if float(np.linalg.norm(a - r * b)) <= CONSTANT * max(float(np.linalg.norm(a)), 1e-3 * math.sqrt(square)) else None


def named(ratios: Sequence[tuple[Question, float]]) -> str | None:
    """The simplest monomial in the sizes that gives every ratio."""
    if any(r <= 0 for _, r in ratios):
        return None
    for name, exponents in monomials():
        values = (math.prod((2 if k == "2" else q.network[k]) ** p for k, p in exponents.items()) for q, _ in ratios)
        if all(abs(r / value - 1) <= CONSTANT for (_, r), value in zip(ratios, values, strict=True)):
            return name or None
    return None


Values = Sequence[tuple[Question, float]]
_SUMS: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "(1 - 1/L)": lambda s: 1 - 1 / s["L"],
    "(1 + 1/L)": lambda s: 1 + 1 / s["L"],
    "L/(L+1)": lambda s: s["L"] / (s["L"] + 1),
    "(n-1)/n": lambda s: (s["n"] - 1) / s["n"],
    "n/(n-1)": lambda s: s["n"] / (s["n"] - 1) if s["n"] > 1 else math.inf,
}


def number(values: Values) -> str | None:
    """What the values are at all sizes: "1", "0", one number, a monomial, a difference of two; None if they are none of these."""
    if not values:
        return None
    found = [v for _, v in values]
    if max(abs(v) for v in found) <= CONSTANT:
        return "0"
    sign = -1.0 if all(v < 0 for v in found) else 1.0
    sizes = [(q, sign * v) for q, v in values]
    if all(abs(v - 1) <= CONSTANT for _, v in sizes):
        name: str | None = "1"
    else:
        sums = (n for n, f in _SUMS.items() if all(abs(v - f(q.network)) <= CONSTANT * max(abs(v), 1e-3) for q, v in sizes))
        name = same([v for _, v in sizes]) or named(sizes) or next(sums, None)
    return name and ("-" if sign < 0 else "") + name
