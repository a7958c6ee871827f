"""Wrong answers described where no hypothesis gives them: what they share, their ratio to right ones, where and how far they are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from depthlimit.conformance.diagnosis.clips import clip
from depthlimit.conformance.diagnosis.layers import activation, factors
from depthlimit.conformance.diagnosis.numerics import digits, entries, quotients
from depthlimit.conformance.diagnosis.paths import clock, displaced, field, stepper
from depthlimit.conformance.diagnosis.questions import AGAIN, ALONE, TOGETHER, TWICE, Answer, Question
from depthlimit.conformance.diagnosis.ratios import CONSTANT, at_sizes, constant, named, same
from depthlimit.conformance.diagnosis.samples import derivative, loss_terms
from depthlimit.conformance.faults.interface import CAUSES
from depthlimit.models.calls import Misbehaviour
from depthlimit.theory.quantity import Array

Pairs = list[tuple[Question, Mapping[str, Array]]]
Told = tuple[str, int, tuple[str, ...]]  # a sentence, how many wrong answers it covers, evidence
_SINGLE = 2.0**-24  # unit roundoff of float32
_ADDED = 2.0**-21  # relative: above what float32 rounding of each sample leaves of their sum
_NOISE = 1e-3  # relative size up to which answers that differ each time are called noise, above it memory


Occasions = dict[str, list[tuple[Question, Mapping[str, Array], Mapping[str, Array]]]]


def _occasions(asked: Sequence[Question], answers: Sequence[Answer], method: str) -> Occasions:
    """Questions on occasions other than the first, with the answer and that to the question that they go back to."""
    own = {id(q): a for q, a in zip(asked, answers, strict=True)}
    found: Occasions = {}
    for q, a in zip(asked, answers, strict=True):
        before = own.get(id(q.of))
        if q.of is not None and q.method == method and isinstance(a, Mapping) and isinstance(before, Mapping):
            found.setdefault(q.occasion, []).append((q, a, before))
    return found


def _samples(found: Occasions, method: str) -> tuple[str, str] | None:
    """Samples alone that do not add up to the whole."""
    alone = found.get(ALONE, [])
    if not alone or method not in ("forward", "loss", "gradients"):
        return None
    whole = alone[0][2]
    for k in whole:
        parts = [np.asarray(a[k]) for _, a, _ in alone]
        joined = np.concatenate(parts, axis=-2) if method == "forward" else np.mean(parts, axis=0)
        apart = float(np.linalg.norm(joined - whole[k])) / (float(np.linalg.norm(whole[k])) or 1.0)
        if apart > _ADDED:
            return "an answer depends on the other samples", f"{k} of the samples alone and together differ by {apart:.1e} of the size"
    return None


def inconsistent(asked: Sequence[Question], answers: Sequence[Answer], wrong: Sequence[int], method: str) -> Told | None:
    """Answers that contradict the implementation's own answers on other occasions."""
    found = _occasions(asked, answers, method)
    if (told := _batch(asked, answers, wrong, method) or _stale(asked, answers, wrong, method)) is not None:
        return told
    again = [one for occasion in (AGAIN, TWICE) for one in found.get(occasion, [])]
    if changed := [(a, b) for q, a, b in again if not q.same(a, b)]:
        off = max(float(np.linalg.norm(a[k] - b[k])) / (float(np.linalg.norm(b[k])) or 1.0) for a, b in changed for k in b)
        everywhere = len(changed) == len(again) and off < _NOISE and next(i for i, q in enumerate(asked) if q.method == method) in wrong
        evidence = (f"{len(changed)} of {len(again)} answers to a question asked again are others, by up to {off:.1e} of their size",)
        return (
            "the same question has another answer each time" if everywhere else "an answer depends on the calls before",
            len(wrong),
            evidence,
        )
    if alone := found.get(ALONE, []):
        shares = [constant(np.asarray(a[k]), np.asarray(q.expected[k]) / q.network["n"]) for q, a, _ in alone for k in a]
        if all(r is not None and abs(r - 1) < CONSTANT for r in shares):
            return "n is read off spec for len(x)", len(wrong), ()
    return None


def _batch(asked: Sequence[Question], answers: Sequence[Answer], wrong: Sequence[int], method: str) -> Told | None:
    """Answers that are wrong in a batch alone."""
    told = [(asked[i], answers[i]) for i in wrong]
    if any(q.occasion != TOGETHER or (isinstance(a, Misbehaviour) and a.kind == "wrong type") for q, a in told):
        return None
    moved = [q.first for q, a in told if isinstance(a, Mapping) and any(q.same(a, other.expected) for other in q.others)]
    what = "the answers of a batch stand in another order" if len(set(moved)) == 2 else "an answer depends on the other calls of a batch"
    return what, len(wrong), (f"{len(moved)} of {len(told)} wrong answers are those to other calls of the batch",)


def _alike(a: Question, b: Question) -> bool:
    """Whether two questions differ in the network alone: who ignores a part of it remembers nothing."""
    flat = ([v for k in q.arguments for v in (q.arguments[k].values() if k in ("params", "weights") else [q.arguments[k]])] for q in (a, b))
    return all(np.array_equal(v, w) for v, w in zip(*flat, strict=True))


def _stale(asked: Sequence[Question], answers: Sequence[Answer], wrong: Sequence[int], method: str) -> Told | None:
    """Answers that are the same numbers as a right one to an earlier question."""
    earlier: dict[bytes, int] = {}
    found = []
    for i, (q, a) in enumerate(zip(asked, answers, strict=True)):
        if q.method != method or not isinstance(a, Mapping):
            continue
        key = b"".join(np.ascontiguousarray(v).tobytes() for v in a.values())
        if i not in wrong:
            earlier.setdefault(key, i)
        elif (j := earlier.get(key)) is not None and any(np.any(v) for v in a.values()) and not _alike(q, asked[j]):
            found.append(i)
    if not found:
        return None
    return "an answer depends on the calls before", len(wrong), (f"{len(found)} wrong answers are those to earlier questions",)


def described(asked: Sequence[Question], answers: Sequence[Answer], wrong: Sequence[int], method: str) -> Told:
    """Wrong answers of a method: their kind of misbehaviour, ratio, size or place, and what sets them apart from right ones."""
    where = _shared(asked, answers, wrong, method)
    only = f", only with {where}" if where else ""
    if misbehaved := [a for i in wrong if isinstance(a := answers[i], Misbehaviour)]:
        kinds = [a.kind for a in misbehaved]
        first = max(kinds, key=kinds.count)
        return {**CAUSES, "crash": "a call ends its process"}[first], kinds.count(first), (f"`{misbehaved[0].method}`{only}",)
    pairs: Pairs = [(asked[i], a) for i in wrong if isinstance(a := answers[i], Mapping)]
    samples = _samples(_occasions(asked, answers, method), method)
    sigma = activation(asked, answers, method)
    for ways in (
        *(clip, _zero, _ratio, entries, _layerwise, _penalty, digits, factors, lambda *_: sigma, quotients, derivative, loss_terms),
        *(lambda *_: samples, _precision, displaced, clock, stepper, field, _size),
    ):
        if (found := ways(pairs, method)) is not None:
            return f"{found[0]}{only}", len(wrong), found[1:]
    return f"`{method}`: {_place(pairs)}{only}", 0, ()


def _shared(asked: Sequence[Question], answers: Sequence[Answer], wrong: Sequence[int], method: str) -> str:
    """What all wrong answers of the method have and no right one has; empty if there is no such thing."""
    right = [i for i, q in enumerate(asked) if q.method == method and answers[i] is not None and i not in set(wrong)]
    common = frozenset.intersection(*(asked[i].traits for i in wrong))
    apart = [trait for trait in common if not any(trait in asked[i].traits for i in right)]
    return min(apart, key=lambda trait: (len(trait), trait), default="") if right else ""


def _parts(q: Question, a: Mapping[str, Array]) -> list[str]:
    """Parts of the answer that are wrong."""
    return [k for k, off in q.differences(a, q.expected).items() if np.max(off, initial=0.0) > 1]


def _ratio(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Answers that are the right ones times a number that sizes give, or that is the same at all sizes."""
    known: dict[str, list[tuple[Question, float]]] = {}
    for q, a in pairs:
        for part in _parts(q, a):
            if (r := constant(np.asarray(a[part]), np.asarray(q.expected[part]))) is None:
                return None
            known.setdefault(part, []).append((q, r))
    sentences, evidence = [], []
    for part, ratios in known.items():
        sign = -1 if all(r < 0 for _, r in ratios) else 1
        if all(r == 0 for _, r in ratios):
            sentences.append(f"{part} is 0")
            continue
        name = named([(q, sign * r) for q, r in ratios]) or same([sign * r for _, r in ratios])
        if not name:
            return None
        factor = f"{'-' if sign < 0 else ''}{name}"
        sentences.append(f"{part} is {factor} times what it should be")
        evidence.append(", ".join(dict.fromkeys(f"{part}/right = {r:.6f}{at_sizes(q, name)}" for q, r in ratios[:4])))
    return f"`{method}`: {'; '.join(sentences)}", "; ".join(evidence)


def _layerwise(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Layers of V and W that are the right ones times a number each."""
    if method not in ("gradients", "velocity"):
        return None
    parts, shown = sorted({part for q, a in pairs for part in _parts(q, a)}), ""
    if not parts or not set(parts) <= set("VW"):
        return None
    where = set()
    for q, a in pairs:
        for part in parts:
            factors = [constant(x, y) for x, y in zip(np.asarray(a[part]), q.expected[part], strict=True)]
            if any(r is None for r in factors):
                return None
            off = [k for k, r in enumerate(factors) if abs(float(r or 0) - 1) > CONSTANT]
            where |= {k if 2 * k < len(factors) else k - len(factors) for k in off if len(factors) > 1}
            shown = shown or f"{part}/right = {', '.join(f'{r:.6g}' for r in factors)} for layers 1 to {len(factors)}"
    at = "the first layer" if where == {0} else "the last layer" if where == {-1} else ""
    told = f"multiplied by a number in {at}" if at else "multiplied by numbers that depend on the layer"
    return f"`{method}`: {' and '.join(parts)} {'are' if len(parts) > 1 else 'is'} {told}", shown


def _errors(pairs: Pairs, method: str) -> list[float]:
    """Relative errors of the wrong parts; of what flows, relative to the displacement."""
    sizes = []
    for q, a in pairs:
        for part in _parts(q, a):
            right = np.asarray(q.expected[part])
            start = {**q.arguments.get("params", {}), "hidden": q.expected["hidden"][:1] if method == "neural_ode" else 0}.get(part, 0)
            moved = right - start if method in ("flow", "neural_ode") else right
            size = float(np.linalg.norm(moved)) or float(np.linalg.norm(right)) or 1.0
            sizes.append(float(np.linalg.norm(np.asarray(a[part]) - right)) / size)
    return sizes


def _precision(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Answers that float32 holds, or errors in most rows of the size of its rounding."""
    errors = _errors(pairs, method)
    wrong = [np.asarray(a[part]) for q, a in pairs for part in _parts(q, a)]
    single = all(np.array_equal(v, v.astype(np.float32)) for v in wrong)
    rows = [np.mean(off > 1) for q, a in pairs for k, off in q.differences(a, q.expected).items() if k in _parts(q, a)]
    text = f"errors are {min(errors):.1e} to {max(errors):.1e}, float32 rounds by {_SINGLE:.1e}"
    rounded = method not in ("flow", "neural_ode") and max(errors) < 1e3 * _SINGLE and min(errors) > _SINGLE / 100 and np.mean(rows) > 0.5
    return ("the numbers are single precision inside", text) if single or rounded else None


def _penalty(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Errors that are a multiple of the parameters, or of the sum of their squares."""
    found = []
    for q, a in pairs:
        params = q.arguments.get("params", {})
        if method == "loss":
            found.append(float(a["loss"] - q.expected["loss"]) / sum(float(np.sum(v**2)) for v in params.values()))
        elif method in ("gradients", "velocity"):
            for k in _parts(q, a):
                r = constant(np.asarray(a[k]) - q.expected[k], params[k])
                if r is None:
                    return None
                found.append(r)
    if not found or max(found) - min(found) > 1e-4 * abs(found[0]):
        return None
    where = "on the parameters" if method != "velocity" else "in the velocity"
    return f"there is a penalty {where}", f"errors are {found[0]:.6g} times the parameters{' squared' if method == 'loss' else ''}"


def _zero(pairs: Pairs, method: str) -> tuple[str] | None:
    """Parts that are missing."""
    parts = {part for q, a in pairs for part in _parts(q, a)}
    return (f"{' and '.join(sorted(parts))} of `{method}` is 0",) if all(not np.any(a[k]) for q, a in pairs for k in parts) else None


def _size(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Errors that are small: steps that are too long, or a few entries."""
    errors = _errors(pairs, method)
    text = f"errors are {min(errors):.1e} to {max(errors):.1e} of the size"
    what = {"flow": "the flow is not followed accurately", "neural_ode": "the neural ODE is not followed accurately"}
    if method in what:
        return (what[method], text) if max(errors) < {"flow": 0.3, "neural_ode": 0.1}[method] else None
    return ("an answer is inexact", text) if max(errors) < 1e-5 else None


def _place(pairs: Pairs) -> str:
    """Which parts are wrong, and which rows of them, if it is always the same."""
    parts = sorted({part for q, a in pairs for part in _parts(q, a)})
    if not parts:
        return "an answer is wrong"
    where = set()
    for q, a in pairs:
        for off in q.differences(a, q.expected).values():
            rows = np.argwhere(np.atleast_1d(off) > 1)[:, 0]
            where |= {"first" if i == 0 else "last" if i == len(np.atleast_1d(off)) - 1 else "inner" for i in rows if np.size(off) > 2}
    which = " and ".join(parts) if set(parts) != set(pairs[0][0].expected) else "every part"
    at = f" of the {where.pop()} row" if len(where) == 1 else ""
    return f"{which}{at} {'is' if len(parts) == 1 or which == 'every part' else 'are'} wrong"


def increments(pairs: Pairs) -> str:
    """The step of the first layer against the right one, where both start from the same h_0; empty if there is no such ratio."""
    ratios = []
    for q, a in pairs:
        given, right = np.asarray(a["hidden"]), np.asarray(q.expected["hidden"])
        if q.network["L"] > 1 and np.allclose(given[0], right[0], rtol=1e-12, atol=0):
            if (r := constant(given[1] - given[0], right[1] - right[0])) is None:
                return ""
            ratios.append((q, r))
    name = named(ratios) if ratios else None
    return ", ".join(dict.fromkeys(f"(h_1 - h_0)/right = {r:.6f} = {name}{at_sizes(q, name)}" for q, r in ratios[:9])) if name else ""
