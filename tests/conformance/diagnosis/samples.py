"""What gradients and losses make of each sample and output, read off by linear algebra.

Right gradients are Σ_ij c_ij ∂F_j(x_i)/∂θ with c_ij = 2 (F_j(x_i) - y_ij)/n. Where answers are such a sum with other c, these say which
samples and outputs count how much, what stands for the labels, and what the derivative of the loss is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from depthlimit.conformance.diagnosis.questions import Question
from depthlimit.conformance.diagnosis.ratios import CONSTANT
from depthlimit.models import residual
from depthlimit.models.reference import NumpyImplementation
from depthlimit.theory.quantity import Array

Pairs = Sequence[tuple[Question, Mapping[str, Array]]]
Told = tuple[str, str]
_EXACT = 1e-8  # of the answer: above the rounding of solving for c


@dataclass(frozen=True)
class _Read:
    """c times n/2 for one question, [n dout], beside the outputs and labels."""

    question: Question
    c: Array
    F: Array
    y: Array

    @property
    def e(self) -> Array:
        """The errors, which c is of right gradients."""
        return self.F - self.y


def derivative(pairs: Pairs, method: str) -> Told | None:
    """Of gradients: how samples and outputs count, or of which loss they are."""
    if method != "gradients":
        return None
    parts = sorted({k for q, a in pairs for k, off in q.differences(a, q.expected).items() if np.max(off, initial=0.0) > 1})
    found = []
    for q, a in pairs:
        read = _read(q, a, parts)
        if isinstance(read, _Read):
            found.append(read)
        elif read is False:
            return None
    if not found:
        return None
    of = "" if len(parts) == 4 else f" of {' and '.join(parts)}"
    return next((told for way in (_scaled, _samples, _outputs, _labels, _function) for told in way(found, of)), None)


def _read(q: Question, a: Mapping[str, Array], parts: Sequence[str]) -> _Read | bool:
    """False if the answer is no such sum; True if it is one for many c."""
    s, (params, x, y) = q.network, (q.arguments[k] for k in ("params", "x", "y"))
    F = residual.forward(s, params, x)[1]
    columns = []
    for at in np.ndindex(F.shape):
        unit = np.zeros_like(F)
        unit[at] = 1
        g = NumpyImplementation().gradients(s, params, x, F - unit)
        columns.append(np.concatenate([g[k].ravel() for k in parts]))
    M, target = np.stack(columns, axis=1), np.concatenate([np.ravel(a[k]) for k in parts])
    scale = np.linalg.norm(M, axis=0)
    if not scale.all():
        return True
    c, _, rank, _ = np.linalg.lstsq(M / scale, target, rcond=1e-9)
    if np.linalg.norm(M / scale @ c - target) > _EXACT * np.linalg.norm(target):
        return False
    return _Read(q, (c / scale).reshape(F.shape), F, y) if rank == len(c) else True  # columns that are not independent give many c


def _same(a: Array, b: Array, by: float = CONSTANT) -> bool:
    return bool(np.linalg.norm(a - b) <= by * max(float(np.linalg.norm(a)), float(np.linalg.norm(b))))


def _scaled(found: Sequence[_Read], of: str) -> Iterator[Told]:
    """One factor for all samples and outputs of a question, which makes a norm of the gradients the same."""
    factors = [float(np.vdot(r.e, r.c) / np.vdot(r.e, r.e)) for r in found]
    if of or not all(_same(r.c, f * r.e) for r, f in zip(found, factors, strict=True)):
        return
    for name, norm in NORMS.items():
        sizes = [norm(np.concatenate([v.ravel() for v in r.question.expected.values()])) * f for r, f in zip(found, factors, strict=True)]
        if len(found) > 1 and max(sizes) - min(sizes) <= CONSTANT * max(sizes):
            yield (
                f"the gradients are clipped where their {name} exceeds {sizes[0]:.6g}",
                f"factors are {min(factors):.3g} to {max(factors):.3g}",
            )


NORMS: dict[str, Callable[[Array], float]] = {
    "Euclidean norm": lambda v: float(np.linalg.norm(v)),
    "largest entry": lambda v: float(np.max(np.abs(v))),
    "sum of sizes": lambda v: float(np.sum(np.abs(v))),
    "root mean square": lambda v: float(np.sqrt(np.mean(v**2))),
    "square": lambda v: float(np.sum(v**2)),
}


def _samples(found: Sequence[_Read], of: str) -> Iterator[Told]:
    """A factor for each sample."""
    weights = [np.sum(r.c * r.e, axis=1) / np.sum(r.e**2, axis=1) for r in found]
    if not all(_same(r.c, w[:, None] * r.e) for r, w in zip(found, weights, strict=True)):
        return
    several = [w for w in weights if len(w) > 1 and np.ptp(w) > CONSTANT * np.max(np.abs(w))]
    if not several:
        return
    text = f"samples count {', '.join(f'{v:.6g}' for v in several[0])} times"
    kept = [w[np.abs(w) > CONSTANT] for w in several]
    if any(len(k) < len(w) for k, w in zip(kept, several, strict=True)) and all(np.ptp(k) <= CONSTANT * np.max(k) for k in kept):
        yield f"a sample is left out of the gradients{of}", text
    ratios = [w / np.min(w) for w in several]
    if all(np.allclose(r, np.rint(r), rtol=CONSTANT) for r in ratios):
        yield f"a sample counts more than once in the gradients{of}", text
    yield f"samples count differently in the gradients{of}", text


def _outputs(found: Sequence[_Read], of: str) -> Iterator[Told]:
    """A factor for each output."""
    weights = [np.sum(r.c * r.e, axis=0) / np.sum(r.e**2, axis=0) for r in found]
    if not all(_same(r.c, w * r.e) for r, w in zip(found, weights, strict=True)):
        return
    several = [w for w in weights if len(w) > 1 and np.ptp(w) > CONSTANT * np.max(np.abs(w))]
    if several:
        text = f"outputs count {', '.join(f'{v:.6g}' for v in several[0])} times"
        some = all(np.min(np.abs(w)) <= CONSTANT * np.max(np.abs(w)) for w in several)
        yield f"{'an output is left out of' if some else 'outputs count differently in'} the gradients{of}", text


def _labels(found: Sequence[_Read], of: str) -> Iterator[Told]:
    """a F - b y with a and b that stand for all questions."""
    terms, c = np.stack([np.concatenate([v.ravel() for v in (getattr(r, k) for r in found)]) for k in "Fy"], axis=1), [r.c for r in found]
    target = np.concatenate([v.ravel() for v in c])
    a, b = np.linalg.lstsq(terms, target, rcond=None)[0]
    if len(target) > 2 and max(abs(a - 1), abs(b + 1)) > 1e-5 and _same(terms @ [a, b], target):
        yield f"errors are {a:.6g} F - ({-b:.6g}) y in the gradients{of}", "F - y was asked for"


def _function(found: Sequence[_Read], of: str) -> Iterator[Told]:
    """A function of the error, entry by entry."""
    e, c = (np.concatenate([getattr(r, k).ravel() for r in found]) for k in "ec")
    order = np.argsort(e)
    e, c = e[order], c[order]
    limit = float(np.max(np.abs(c)))
    text = f"2e stands for {2 * c[0]:.6g} at e = {e[0]:.3g} and for {2 * c[-1]:.6g} at e = {e[-1]:.3g}"
    if _same(c, np.clip(e, -limit, limit)):
        yield f"errors are cut off at {limit:.6g} in the gradients{of}", text
    for name, function in LOSSES.items():
        f = function(e)
        if _same(c, float(np.vdot(c, f) / np.vdot(f, f)) * f):
            yield f"the gradients{of} are those of {name}", text


LOSSES: dict[str, Callable[[Array], Array]] = {
    "the absolute error": np.sign,
    "the cubed error": lambda e: e * np.abs(e),
    "the error to the fourth": lambda e: e**3,
    "log cosh of the error": np.tanh,
    "√(1 + e²)": lambda e: e / np.sqrt(1 + e**2),
}


def loss_terms(pairs: Pairs, method: str) -> Told | None:
    """A loss that is (1/n) Σ a |F|² + b <F, y> + c |y|² with numbers a, b and c."""
    if method != "loss":
        return None
    rows, values = [], []
    for q, a in pairs:
        y = q.arguments["y"]
        F = residual.forward(q.network, q.arguments["params"], q.arguments["x"])[1]
        rows.append([np.sum(F**2) / len(y), np.sum(F * y) / len(y), np.sum(y**2) / len(y)])
        values.append(float(a["loss"]))
    M, target = np.array(rows), np.array(values)
    if len(target) < 6:
        return None
    weight = 1 / np.linalg.norm(M, axis=1)
    a, b, c = np.linalg.lstsq(M * weight[:, None], target * weight, rcond=None)[0]
    if not np.max(np.abs((M @ [a, b, c] - target) * weight)) <= CONSTANT:
        return None
    if np.max(np.abs(np.array([a, b, c]) - [1, -2, 1])) < 1e-5:
        return None
    text = f"n ℓ = Σ {a:.6g} |F|² + ({b:.6g}) <F, y> + {c:.6g} |y|²"
    k = -b / (2 * a)
    return (f"the labels are multiplied by {k:.6g}" if abs(c / a - k * k) <= CONSTANT else "the terms of the loss have other factors"), text
