"""What a layer does, read off the states: the factors of its two terms, and σ at each argument."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy.optimize import least_squares

from depthlimit.conformance.diagnosis.questions import PROBED, Answer, Question
from depthlimit.conformance.diagnosis.ratios import CONSTANT, Values, constant, number
from depthlimit.models import activations, residual
from depthlimit.theory.quantity import Array

Pairs = Sequence[tuple[Question, Mapping[str, Array]]]
_EXACT = 1e-9  # relative: above rounding, below what any approximation of an activation is off by on purpose
_NEAR = 0.1  # of its largest value: so far an approximation may be off


def factors(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """h_0 = a A x, h_k = b h_{k-1} + c branch(h_{k-1}), F = d B h_L: the sentence of those of a, b, c and d that are not 1."""
    if method != "forward":
        return None
    found: dict[str, list[tuple[Question, float]]] = {}
    for q, a in pairs:
        s, params, h = q.network, q.arguments["params"], np.asarray(a["hidden"])
        fit = _step(h, residual.preactivations(s, params, h), q)
        ends = constant(h[0], q.arguments["x"] @ params["A"].T), constant(np.asarray(a["output"]), h[-1] @ params["B"].T)
        if fit is None or None in ends:
            return None
        for name, value in zip(_TERMS, (ends[0], *fit, ends[1]), strict=True):
            if value is not None and not math.isnan(value):
                found.setdefault(name, []).append((q, value))
    names = {term: number(values) for term, values in found.items()}
    wrong = {term: name for term, name in names.items() if name != "1"}
    if not wrong or any(name is None for name in wrong.values()):
        return None
    return "; ".join(_TERMS[term].format(name) for term, name in wrong.items()), _listed(found, wrong)


_TERMS = {
    "h_0/(A x)": "h_0 is {} times A x",
    "factor of h_{k-1}": "h_{{k-1}} is multiplied by {} in (3)",
    "factor of the branch": "the residual branch of (3) is multiplied by {}",
    "F/(B h_L)": "the output is {} times B h_L",
}


def _listed(found: Mapping[str, Values], wrong: Mapping[str, str | None]) -> str:
    return "; ".join(f"{term} = {found[term][0][1]:.6f} at L={found[term][0][0].network['L']}" for term in wrong)


def _step(h: Array, u: Array, q: Question) -> tuple[float, float] | None:
    """The factors of h_{k-1} and of the branch; NaN where there are too few entries to tell, None if no factors give h_k."""
    s = q.network
    branch = activations.value(s["activation"], u) @ q.arguments["params"]["V"].swapaxes(1, 2) / (s["L"] * math.sqrt(s["m"]))
    target, terms = h[1:].ravel(), np.stack([h[:-1].ravel(), branch.ravel()], axis=1)
    scale = np.linalg.norm(terms, axis=0)
    if len(target) < 8 or not scale.all() or np.linalg.cond(terms / scale) > 1e6:
        return math.nan, math.nan
    found = np.linalg.lstsq(terms / scale, target, rcond=None)[0] / scale
    off = np.linalg.norm(terms @ found - target)
    return (float(found[0]), float(found[1])) if off <= CONSTANT * np.linalg.norm(found[1] * branch) + _EXACT * np.linalg.norm(h) else None


# --- σ


def activation(asked: Sequence[Question], answers: Sequence[Answer], method: str) -> tuple[str, str] | None:
    """σ as it acts: read at a grid of arguments from networks of one number, and seen again in the layers of the others."""
    if method != "forward":
        return None
    given = [(q, a) for q, a in zip(asked, answers, strict=True) if q.method == method and isinstance(a, Mapping)]
    probes = {_key(q): _Probe(q, np.asarray(a["hidden"])) for q, a in given if q.occasion == PROBED}
    wrong = {key: probe for key, probe in probes.items() if probe.size > 0}
    if not wrong or not all(_seen(probes, q, a) for q, a in given if q.occasion != PROBED):
        return None
    names = sorted({name for name, _, _ in wrong})
    one = " and ".join(names) if len(names) < len({name for name, _, _ in probes}) else "σ"
    worst = max(wrong.values(), key=lambda p: p.size)
    text = f"σ(u) is off by {worst.size:.2g} at u = {worst.u[np.argmax(np.abs(worst.off))]:.3g} ({worst.name})"
    for sentence in (*_changes(list(wrong.values())), *_cut(list(wrong.values()))):
        return sentence, text
    if all(p.size <= _NEAR * np.max(np.abs(p.right)) for p in wrong.values()):
        return f"{one} is approximated", text
    return f"{one} is another function", text


def _key(q: Question) -> tuple[str, float, float]:
    a = q.network["activation"]
    return a["name"], a["a"], a["b"]


class _Probe:
    """σ read off h_1 - h_0 of a network with all weights 1, at u [n]; how far it is off, and where by more than rounding."""

    def __init__(self, q: Question, hidden: Array) -> None:
        self.activation, self.name = q.network["activation"], q.network["activation"]["name"]
        self.u, self.read = hidden[0, :, 0], hidden[1, :, 0] - hidden[0, :, 0]
        self.right = self.value(self.u)
        self.off = self.read - self.right
        self.size = float(np.max(np.abs(self.off), initial=0.0)) if np.any(np.abs(self.off) > 1e-13 * (1 + np.abs(hidden).max())) else 0.0

    def value(self, u: Array) -> Array:
        """The right σ."""
        return activations.value(self.activation, u)

    def explained(self, by: Array) -> bool:
        """Whether these values are what was read."""
        return bool(np.max(np.abs(by - self.read)) <= min(_EXACT * (1 + np.max(np.abs(self.read))), 1e-3 * self.size))


def _seen(probes: Mapping[tuple[str, float, float], _Probe], q: Question, a: Mapping[str, Array]) -> bool:
    """Whether the layers of another network have the σ that was read; where m > q, σ cannot be read off the states."""
    s, params, probe = q.network, q.arguments["params"], probes.get(_key(q))
    if probe is None or probe.size == 0:
        return q.right(a)
    if s["m"] > s["q"]:
        return True
    h = np.asarray(a["hidden"])
    u = residual.preactivations(s, params, h)
    right = activations.value(s["activation"], u)
    step = (h[1:] - h[:-1]) * (s["L"] * math.sqrt(s["m"]))
    off = step @ np.linalg.pinv(params["V"]).swapaxes(1, 2) - right
    inside = np.abs(u) < probe.u.max()
    at = np.clip(np.searchsorted(probe.u, u), 1, len(probe.u) - 1)
    left, right = probe.off[at - 1], probe.off[at]
    outside = np.maximum(off - np.maximum(left, right), np.minimum(left, right) - off)  # of what was read at the arguments beside u
    return bool(np.max(outside[inside], initial=0.0) <= 0.25 * probe.size + 1e-11 * (1 + np.abs(step).max()))


_CHANGED: dict[str, Callable[[_Probe, float], Array]] = {
    "there is a bias in σ: its argument is u + ({:.6g})": lambda p, c: p.value(p.u + c),
    "{:.6g} is added to σ": lambda p, c: p.right + c,
    "σ is multiplied by {:.6g}": lambda p, c: (1 + c) * p.right,
    "the argument of σ is multiplied by {:.6g}": lambda p, c: p.value((1 + c) * p.u),
    "a term {:.6g} u is added to σ": lambda p, c: p.right + c * p.u,
}


def _changes(wrong: Sequence[_Probe]) -> Iterator[str]:
    """One constant by which σ is another, the same for all activations."""
    for sentence, change in _CHANGED.items():
        for first in wrong[:2]:
            fit = least_squares(lambda c, p=first, f=change: f(p, float(c[0])) - p.read, [0.0], xtol=1e-15, ftol=1e-15, gtol=1e-15)
            c = float(fit.x[0])
            if all(p.explained(change(p, c)) for p in wrong):
                yield sentence.format(1 + c if "multiplied" in sentence else c)


def _cut(wrong: Sequence[_Probe]) -> Iterator[str]:
    low, high = min(p.read.min() for p in wrong), max(p.read.max() for p in wrong)
    if all(p.explained(np.clip(p.right, low, high)) for p in wrong):
        yield f"σ is cut off at {low:.6g} and {high:.6g}"
