"""How the numbers of wrong answers were made: rounded to digits, taken from difference quotients, or off in an entry or two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from depthlimit.conformance.diagnosis.changes import rounded
from depthlimit.conformance.diagnosis.questions import Question
from depthlimit.models import residual
from depthlimit.models.flow import BLOCKS
from depthlimit.theory.quantity import Array

Pairs = Sequence[tuple[Question, Mapping[str, Array]]]
PRECISIONS = {24: "single precision", 11: "half precision", 8: "bfloat16"}
_FEW = 0.1  # of the entries
_OFF = 1e-12  # relative: more than rounding
_STEPS = (*(10.0**-k for k in range(2, 10)), np.finfo(float).eps ** 0.5, np.finfo(float).eps ** (1 / 3), *(2.0**-k for k in range(10, 28)))


def _wrong(q: Question, a: Mapping[str, Array]) -> list[str]:
    return [k for k, off in q.differences(a, q.expected).items() if np.max(off, initial=0.0) > 1]


def digits(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """All numbers of the wrong parts have few binary or decimal digits."""
    v = np.concatenate([np.ravel(a[k]) for q, a in pairs for k in _wrong(q, a)])
    v = v[v != 0]
    if len(v) < 8:
        return None
    for bits in range(4, 41):
        if np.array_equal(v, rounded(bits)(v)):
            name = f"the numbers are {PRECISIONS[bits]} inside" if bits in PRECISIONS else f"answers are rounded to {bits} binary digits"
            return name, f"{bits} binary digits are as many as any number has"
    for count in range(2, 13):
        unit = 10.0 ** (np.floor(np.log10(np.abs(v))) + 1 - count)
        if np.all(np.abs(v - np.rint(v / unit) * unit) <= 1e-15 * np.abs(v)):
            return f"answers are rounded to {count} digits", f"{count} decimal digits are as many as any number has"
    for places in range(2, 13):
        if np.all(np.abs(v - np.round(v, places)) <= 1e-15 * np.abs(v)):
            return f"answers are rounded to {places} decimal places", "no number has more"
    return None


def quotients(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Gradients that are multiples of the last digit of the loss over a step: (ℓ(θ + h e) - ℓ(θ)) / h, or over 2h."""
    if method != "gradients":
        return None
    for step in _STEPS:
        for name, width in (("central", 2 * step), ("one-sided", step)):
            if all(_on_lattice(np.concatenate([np.ravel(a[k]) for k in BLOCKS]), width, q) for q, a in pairs):
                return "the gradients are difference quotients", f"{name}, with step {step:.3g}: all are multiples of the loss's last digit"
    return None


def _on_lattice(g: Array, width: float, q: Question) -> bool:
    loss = float(np.sum((_output(q) - q.arguments["y"]) ** 2)) / len(q.arguments["y"])
    unit = 2.0 ** (math.frexp(loss)[1] - 54)  # half an ulp: losses beside a power of 2
    counts = g * width / unit
    known = (np.abs(counts) < 2.0**45) & (np.abs(counts) > 4)
    if np.sum(known) < 4:
        return False
    return bool(np.max(np.abs(counts[known] - np.rint(counts[known])) / np.maximum(1, np.abs(counts[known]) * 2.0**-40)) < 0.02)


def _output(q: Question) -> Array:
    return residual.forward(q.network, q.arguments["params"], q.arguments["x"])[1]


def entries(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """A few entries of each wrong answer are off, and by little."""
    shares, sizes = [], []
    for q, a in pairs:
        off, right = (
            np.concatenate([np.ravel(v) for v in values]) for values in ([a[k] - v for k, v in q.expected.items()], q.expected.values())
        )
        wrong = np.abs(off) > _OFF * np.max(np.abs(right))
        shares.append((int(np.sum(wrong)), len(off)))
        sizes.append(float(np.max(np.abs(off) / np.maximum(np.abs(right), 1e-300))))
    if max(sizes) > 1e-3 or method in ("loss", "flow", "neural_ode") or any(k > max(1, _FEW * n) for k, n in shares):
        return None
    return "an answer is inexact", f"in {shares[0][0]} of {shares[0][1]} entries, by up to {max(sizes):.1e}"
