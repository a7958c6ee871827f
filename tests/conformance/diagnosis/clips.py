"""Which clip a velocity has, read off what becomes of each piece and entry of the velocity without a clip.

A radial clip multiplies each piece by a factor: r over the factor is what stands for the norm, and is compared with norms of
pieces cut in several ways. Other clips act entry by entry, as R s(g/S) with some s, R and S.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from depthlimit.conformance.diagnosis.questions import Question
from depthlimit.conformance.diagnosis.ratios import CONSTANT, constant, number
from depthlimit.models import flow
from depthlimit.models.clip import KINDS
from depthlimit.models.reference import NumpyImplementation
from depthlimit.theory.quantity import Array

Pairs = Sequence[tuple[Question, Mapping[str, Array]]]
Pieces = list[tuple[str, Array, Array]]  # the blocks it is of, unclipped and clipped [size] or [rows columns]
_EXACT = 1e-8  # relative: above rounding, below any constant that is added on purpose


def clip(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """What stands for the clip: radius, norm, the pieces that are one vector, blocks that are spared."""
    if method != "velocity" or any(q.network["clip"] is None for q, _ in pairs):
        return None
    told: dict[str, dict[str, str]] = {}
    kinds: list[str] = []
    for q, a in pairs:
        s, kind = q.network, q.network["clip"]["kind"]
        g = flow.velocity({**s, "clip": None}, NumpyImplementation().gradients(s, **q.arguments))
        v = {k: np.asarray(a[k]) for k in g}
        spared = "".join(k for k in s["train"] if np.allclose(v[k], g[k], rtol=1e-12, atol=0))
        found = _taken(q, g, v, s["train"])
        if found is None and spared and (rest := [k for k in s["train"] if k not in spared]):
            found = _taken(q, g, v, rest)
            if found is not None:
                found[1].append(f"{' and '.join(spared)} {'is' if len(spared) == 1 else 'are'} not clipped")
        if found is None:
            return None
        taken, sentences, text = found
        for sentence in [f"the {kind} clip is {taken}", *sentences] if taken != kind else sentences:
            told.setdefault(sentence, {})[kind] = text
        kinds.append(taken)
    if not told:
        return None
    if len(set(kinds)) == 1 and len(told) > 1 and any(kind != kinds[0] for by in told.values() for kind in by):
        others = [f"the {kind} clip is {kinds[0]}" for kind in KINDS]
        told = {f"the clip is {kinds[0]} whatever is asked for": {}, **{k: v for k, v in told.items() if k not in others}}
    return "; ".join(told), "; ".join(dict.fromkeys(f"{kind}: {text}" for by in told.values() for kind, text in by.items()))


Taken = tuple[str, list[str], str]  # the kind of clip, what is wrong with it, and its numbers


def _taken(q: Question, g: Mapping[str, Array], v: Mapping[str, Array], blocks: Sequence[str]) -> Taken | None:
    """The clip that is asked for, if that can be, or else one of the other sort."""
    ways = (_radial, _entries) if q.network["clip"]["kind"] == "radial" else (_entries, _radial)
    return next((found for way in ways if (found := way(q, g, v, blocks)) is not None), None)


# --- radial


def _cuts(g: Mapping[str, Array], v: Mapping[str, Array], blocks: Sequence[str]) -> Iterator[tuple[str, Pieces]]:
    """Ways to cut a velocity into vectors, the right one first; "" is its name."""

    def joined(names: Sequence[str], at: Any = ...) -> Pieces:
        names = [k for k in names if k in blocks]
        both = [np.concatenate([w[k][at].ravel() for k in names]) for w in (g, v)] if names else []
        return [("".join(names), *both)] if names else []  # type: ignore[list-item]

    def each(names: Sequence[str]) -> Pieces:
        return [p for k in names if k in blocks for p in ([(k, g[k], v[k])] if k in "AB" else zip(k * len(g[k]), g[k], v[k], strict=True))]

    layers = [p for k in range(len(g["V"])) for p in joined("VW", k)]
    ends = joined("A") + joined("B")
    yield "", layers + ends
    yield "V and W are clipped apart", each("AVWB")
    yield "all layers are clipped as one vector", joined("VW") + ends
    yield "all layers of V are clipped as one vector, and those of W", joined("V") + joined("W") + ends
    yield "A and B are clipped as one vector", layers + joined("AB")
    yield "all blocks are clipped as one vector", joined("AVWB")
    yield "rows are clipped one by one", [(k, x, y) for k, a, b in each("AVWB") for x, y in zip(a, b, strict=True)]
    yield "columns are clipped one by one", [(k, x, y) for k, a, b in each("AVWB") for x, y in zip(a.T, b.T, strict=True)]


NORMS: dict[str, Callable[[Array], float]] = {
    "": lambda v: float(np.linalg.norm(v)),
    "the largest entry": lambda v: float(np.max(np.abs(v))),
    "the sum of sizes": lambda v: float(np.sum(np.abs(v))),
    "the square of the Euclidean norm": lambda v: float(np.sum(v**2)),
    "the root mean square": lambda v: float(np.sqrt(np.mean(v**2))),
    "the mean of sizes": lambda v: float(np.mean(np.abs(v))),
    "the spectral norm": lambda v: float(np.linalg.norm(v, 2)),
    "the nuclear norm": lambda v: float(np.linalg.norm(v, "nuc")) if v.ndim == 2 else float(np.linalg.norm(v)),
    "the largest row sum": lambda v: float(np.linalg.norm(v, np.inf)),
}


def _radial(q: Question, g: Mapping[str, Array], v: Mapping[str, Array], blocks: Sequence[str]) -> Taken | None:
    """r/factor = α norm + β; the first of the simplest cut, norm, α and β that fits all pieces."""
    r = q.network["clip"]["radius"]
    cuts = []
    for cut, pieces in _cuts(g, v, blocks):
        read = [constant(after, before) for _, before, after in pieces]
        if all(f is not None and f > 0 for f in read):
            cuts.append((cut, pieces, np.array(read, dtype=float)))
    for form in (_plain, _scaled, _affine):
        for cut, pieces, factors in cuts:
            for name, norm in NORMS.items():
                sizes = np.array([norm(before) for _, before, _ in pieces])
                fit = form(r / factors, sizes, r)
                if fit is None:
                    continue
                alpha, beta, stretched = fit
                found = [cut] if cut else []
                found += [f"the norm in the radial clip is {name}"] if name else []
                if alpha != 1 and (said := _radius(q, 1 / alpha)):
                    found.append(f"the radius of the clip is {said}")
                found += [f"{beta:.6g} is added to the norm in the radial clip"] if beta else []
                found += ["the radial clip stretches what lies inside"] if stretched else []
                return "radial", found, f"r/factor = {alpha:.6g} norm + {beta:.6g}"
    return None


Fit = tuple[float, float, bool]


def _check(found: Array, sizes: Array, r: float, alpha: float, beta: float) -> Fit | None:
    """Whether r/factor is α norm + β, or r where that is less; or wherever it is less, too."""
    line = alpha * sizes + beta
    near = {name: np.max(np.abs(found - to) / found) <= _EXACT for name, to in (("clip", np.maximum(line, r)), ("stretch", line))}
    return (alpha, beta, not near["clip"]) if near["clip"] or near["stretch"] else None


def _plain(found: Array, sizes: Array, r: float) -> Fit | None:
    return _check(found, sizes, r, 1.0, 0.0)


def _scaled(found: Array, sizes: Array, r: float) -> Fit | None:
    at = np.argmax(np.abs(found / r - 1))
    return _check(found, sizes, r, float(found[at] / sizes[at]), 0.0)


def _affine(found: Array, sizes: Array, r: float) -> Fit | None:
    acts = np.abs(found / r - 1) > _EXACT
    if np.sum(acts) < 3:
        return None
    alpha, beta = np.polyfit(sizes[acts], found[acts], 1)
    return _check(found, sizes, r, 1.0 if abs(alpha - 1) < _EXACT * 100 else float(alpha), float(beta))


# --- entry by entry

SATURATIONS: dict[str, Callable[[Array], Array]] = {
    "coordinate": lambda t: np.clip(t, -1, 1),
    "smooth": np.tanh,
    "g/(1 + |g|/r)": lambda t: t / (1 + np.abs(t)),
    "g/√(1 + (g/r)²)": lambda t: t / np.sqrt(1 + t**2),
    "r arctan(g/r)": np.arctan,
    "r sign(g)": np.sign,
}


def _entries(q: Question, g: Mapping[str, Array], v: Mapping[str, Array], blocks: Sequence[str]) -> Taken | None:
    """v = R s(g/S) entry by entry."""
    r, before, after = q.network["clip"]["radius"], *(np.concatenate([w[k].ravel() for k in blocks]) for w in (g, v))
    largest = float(np.max(np.abs(after)))
    if np.array_equal(before, after) or largest == 0:
        return None

    def fits(s: Callable[[Array], Array], R: float, S: float) -> bool:
        return bool(np.linalg.norm(R * s(before / S) - after) <= 1e-9 * np.linalg.norm(after))

    own = q.network["clip"]["kind"]
    for kind in sorted(SATURATIONS, key=lambda kind: kind != own):
        s = SATURATIONS[kind]
        starts = [(largest, largest)] if kind == "coordinate" else [(R, S) for R in (r, 1.0, largest) for S in (r, 1.0, largest)]
        for start in starts:
            R, S = start
            if kind not in ("coordinate", "r sign(g)") and not fits(s, R, S):
                fit = least_squares(
                    lambda p, s=s: np.exp(p[0]) * s(before / np.exp(p[1])) - after, np.log(start), xtol=1e-15, ftol=1e-15, gtol=1e-15
                )
                R, S = (float(p) for p in np.exp(fit.x))
            if fits(s, R, S):
                return kind, _constants(q, kind, R, S), f"R = {R:.6g}, S = {S:.6g} at r = {r:.6g}"
    return None


def _constants(q: Question, kind: str, R: float, S: float) -> list[str]:
    r = q.network["clip"]["radius"]
    if abs(R / S - 1) <= CONSTANT:
        return [] if abs(R / r - 1) <= CONSTANT else [f"the radius of the clip is {_radius(q, R / r)}"]
    if kind == "smooth":
        return [f"the smooth clip is {_length(R, r)} tanh(g/{_length(S, r)})".replace("g/1)", "g)").replace("is 1 tanh", "is tanh")]
    return [f"the {kind} clip has other constants"]


def _length(value: float, r: float) -> str:
    names = {"r": r, "1": 1.0, "2r": 2 * r, "r/2": r / 2, "r²": r * r, "√r": r**0.5}
    return next((name for name, known in names.items() if abs(value / known - 1) <= 1e-7), f"{value:.6g}")


def _radius(q: Question, share: float) -> str:
    """A multiple of the radius."""
    name = number([(q, share)])
    return "r" if name == "1" else f"{name} r"
