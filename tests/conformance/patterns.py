"""Wrong answers described, where no hypothesis gives them: what they share, their ratio to the right ones, where and how far they are off."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from depthlimit.conformance.questions import AGAIN, ALONE, TOGETHER, Answer, Question
from depthlimit.models.calls import Misbehaviour
from depthlimit.theory.quantity import Array

Pairs = list[tuple[Question, Mapping[str, Array]]]
_KINDS = {
    "exception": "raises an exception",
    "hang": "does not answer in time",
    "crash": "crashes its process",
    "inputs changed": "changes its arguments in place",
    "wrong type": "answers with a wrong type",
    "wrong shape": "answers with a wrong shape",
    "wrong dtype": "answers with a wrong dtype",
    "non-finite": "answers with non-finite values",
}
_OCCASIONS = {
    AGAIN: "`{}` has another answer to the same question when others were asked between",
    ALONE: "`{}` of one sample alone is another than among others",
    TOGETHER: "`batch` of `{}` has other answers than single calls",
}
_SIZES = ("L", "m", "q", "n", "d", "dout")
_CONSTANT = 1e-6  # relative spread up to which ratios are one number: above what flows may err, below any ratio that is looked for
_SINGLE = 2.0**-24  # unit roundoff of float32


def described(asked: Sequence[Question], answers: Sequence[Answer], wrong: Sequence[int], method: str) -> tuple[str, int, tuple[str, ...]]:
    """A sentence on the wrong answers of a method, how many of them it covers, and evidence."""
    misbehaved = [a for i in wrong if isinstance(a := answers[i], Misbehaviour)]
    where = _shared(asked, answers, wrong, method)
    only = f", only with {where}" if where else ""
    if misbehaved:
        kinds = [a.kind for a in misbehaved]
        first = max(kinds, key=kinds.count)
        return f"`{misbehaved[0].method}` {_KINDS[first]}{only}", kinds.count(first), ()
    occasions = {asked[i].occasion for i in wrong}
    if len(occasions) == 1 and (occasion := occasions.pop()) in _OCCASIONS:
        return _OCCASIONS[occasion].format(method), len(wrong), ()
    pairs: Pairs = [(asked[i], a) for i in wrong if isinstance(a := answers[i], Mapping)]
    for ways in (_ratio, _size, _place):
        if (found := ways(pairs, method)) is not None:
            return f"{found[0]}{only}", len(wrong), found[1:]
    return f"`{method}` disagrees with the reference{only}", len(wrong), ()


def _shared(asked: Sequence[Question], answers: Sequence[Answer], wrong: Sequence[int], method: str) -> str:
    """What all wrong answers of the method have and no right one has; empty if there is no such thing."""
    right = [i for i, q in enumerate(asked) if q.method == method and answers[i] is not None and i not in set(wrong)]
    common = frozenset.intersection(*(asked[i].traits for i in wrong))
    apart = [trait for trait in common if not any(trait in asked[i].traits for i in right)]
    return min(apart, key=lambda trait: (len(trait), trait), default="") if right else ""


def _parts(q: Question, a: Mapping[str, Array]) -> list[str]:
    """Parts of the answer that are wrong."""
    return [k for k, off in q.differences(a, q.expected).items() if np.max(off, initial=0.0) > 1]


def _monomials() -> Iterator[tuple[str, dict[str, float]]]:
    """Factors of which a formula may lack one: powers of one or two sizes, times a power of 2, the simplest first."""
    powers = (1.0, -1.0, 0.5, -0.5)
    terms = [{k: p} for k in _SIZES for p in powers]
    pairs = [{a: p, b: r} for a, b in itertools.combinations(_SIZES, 2) for p in powers for r in powers]
    found = [({**m, "2": t}) for m in [{}, *terms, *pairs] for t in (0.0, 1.0, -1.0)]
    for exponents in sorted(found, key=lambda m: sum(0 if p == 0 else 1 + (abs(p) != 1) for p in m.values())):
        yield _name(exponents), exponents


def _name(exponents: Mapping[str, float]) -> str:
    def product(sign: int) -> str:
        return " ".join(k if abs(p) == 1 else f"√{k}" for k, p in exponents.items() if p * sign > 0)

    over, under = product(1), product(-1)
    return over + (f"/({under})" if " " in under else f"/{under}") if over and under else over or (f"1/({under})" if " " in under else f"1/{under}")


def _ratio(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Answers that are the right ones times a number that sizes give."""
    known: dict[str, list[tuple[Question, float]]] = {}
    for q, a in pairs:
        for part in _parts(q, a):
            if (r := _constant(np.asarray(a[part]), np.asarray(q.expected[part]))) is None:
                return None
            known.setdefault(part, []).append((q, r))
    sentences, evidence = [], []
    for part, ratios in known.items():
        sign = -1 if all(r < 0 for _, r in ratios) else 1
        if all(r == 0 for _, r in ratios):
            sentences.append(f"{part} is 0")
            continue
        name = "1" if all(abs(sign * r - 1) < _CONSTANT for _, r in ratios) else _named([(q, sign * r) for q, r in ratios])
        if name is None:
            return None
        factor = f"{'-' if sign < 0 else ''}{name}"
        sentences.append(f"{part} is {factor} times what it should be")
        evidence.append(", ".join(dict.fromkeys(f"{part}/right = {r:.6f}{_at(q, name)}" for q, r in ratios[:4])))
    return f"`{method}`: {'; '.join(sentences)}", "; ".join(evidence)


def _at(q: Question, name: str) -> str:
    sizes = [f"{k}={q.network[k]}" for k in _SIZES if k in name.replace("√", " ").replace("/", " ").replace("(", " ").replace(")", " ").split()]
    return f" at {', '.join(sizes)}" if sizes else ""


def _constant(a: Array, b: Array) -> float | None:
    square = float(np.vdot(b, b))
    if square == 0:
        return None
    r = float(np.vdot(b, a)) / square
    return r if float(np.linalg.norm(a - r * b)) <= _CONSTANT * max(float(np.linalg.norm(a)), 1e-3 * math.sqrt(square)) else None


def _named(ratios: Sequence[tuple[Question, float]]) -> str | None:
    """The simplest monomial in the sizes that gives every ratio."""
    if any(r <= 0 for _, r in ratios):
        return None
    for name, exponents in _monomials():
        values = (math.prod((2 if k == "2" else q.network[k]) ** p for k, p in exponents.items()) for q, _ in ratios)
        if all(abs(r / value - 1) <= _CONSTANT for (_, r), value in zip(ratios, values, strict=True)):
            return name or None
    return None


def _size(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Errors of the size of float32's rounding, or of a step that is too long."""
    sizes = []
    for q, a in pairs:
        for part in _parts(q, a):
            right = np.asarray(q.expected[part])
            moved = right - right[:1] if method in ("flow", "neural_ode") and part not in ("loss", "output") and len(right) > 1 else right
            size = float(np.linalg.norm(moved)) or float(np.linalg.norm(right)) or 1.0
            sizes.append(float(np.linalg.norm(np.asarray(a[part]) - right)) / size)
    largest = max(sizes)
    text = f"errors are {min(sizes):.1e} to {largest:.1e} of the size, float32 rounds by {_SINGLE:.1e}"
    if method in ("flow", "neural_ode"):
        return (f"`{method}` is integrated less accurately than asked", text) if largest < 0.05 else None
    return (f"`{method}` is computed in float32", text) if largest < 1e4 * _SINGLE else None


def _place(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Which parts are wrong, and which layers or samples of them."""
    parts = sorted({part for q, a in pairs for part in _parts(q, a)})
    if not parts:
        return None
    every = set(pairs[0][0].expected)
    where = set()
    for q, a in pairs:
        for part, off in q.differences(a, q.expected).items():
            rows = np.argwhere(np.atleast_1d(off) > 1)[:, 0]
            where |= {"first" if i == 0 else "last" if i == len(np.atleast_1d(off)) - 1 else "inner" for i in rows if np.size(off) > 2}
    which = " and ".join(parts) if set(parts) != every else "every part"
    at = f" of the {where.pop()} row" if len(where) == 1 else ""
    return f"`{method}`: {which}{at} is wrong", f"right: {', '.join(sorted(every - set(parts))) or 'none'}"
