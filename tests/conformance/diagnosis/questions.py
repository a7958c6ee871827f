"""What a diagnosis asks of an implementation: the same questions in the same order, and how far each answer may lie off.

Sizes are small, distinct from each other and from case to case, so that a factor of L is told from one of m, and neighbouring layers,
samples and blocks are unequal. After the cases of a method come the same question again, one sample alone and a batch: answers may depend
on what was asked before, so whoever is compared with another is asked all of them in this order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, cast

import numpy as np

from depthlimit.models import residual
from depthlimit.models.calls import ARGUMENTS, MethodUnsupported, Misbehaviour, batch, call
from depthlimit.models.clip import KINDS
from depthlimit.models.data import ArrayStore
from depthlimit.models.flow import BLOCKS, asked
from depthlimit.models.implementation import Arrays, Network
from depthlimit.models.measure.agreement import allowed
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.rounding import euclid
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import Batch, Trajectory, realise
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.quantity import Array

METHODS = ("forward", "loss", "gradients", "velocity", "neural_ode", "flow")  # in the order in which one builds on another
Answer = Mapping[str, Array] | Misbehaviour | None  # None: unsupported
ONCE, AGAIN, TWICE, ALONE, TOGETHER = "asked once", "asked again", "asked twice in succession", "one sample alone", "in a batch"
PROBED = "in a network of one number"
_SLACK = 2.0**-40  # of an answer's size: rounding of an answer of which no better radius is known


@dataclass(frozen=True)
class Question:
    """One call. `occasion`: ONCE, or another one for what was asked before as `of` (in a batch, after `others` or as the `first`)."""

    method: str
    network: Network
    arguments: Mapping[str, Any]
    occasion: str = ONCE
    of: Question | None = None
    others: tuple[Question, ...] = ()
    first: bool = False

    def put(self, implementation: Any) -> Answer:
        """The implementation's answer, or how it misbehaves."""
        try:
            with np.errstate(all="ignore"):
                if self.occasion == TOGETHER:
                    order = (self, *self.others) if self.first else (*self.others, self)
                    calls = [(q.network, *q.arguments.values()) for q in order]
                    found = batch(implementation, self.method, calls)[0 if self.first else -1]
                else:
                    found = call(implementation, self.method, self.network, **self.arguments)
        except MethodUnsupported:
            return None
        except Misbehaviour as error:
            return error
        return found if isinstance(found, dict) else {"loss": np.asarray(found)}

    @cached_property
    def traits(self) -> frozenset[str]:
        """What may set this question apart from others."""
        s, a = self.network, self.network["activation"]
        clip = "no clip" if s["clip"] is None else f"a {s['clip']['kind']} clip"
        flags = {
            "a clip": s["clip"] is not None,
            "a clip with kinks": s["clip"] is not None and s["clip"]["kind"] != "smooth",
            "L = 1": s["L"] == 1,
            "σ(u) = a φ(bu) with a, b other than 1": (a["a"], a["b"]) != (1, 1),
            "times without 0": "times" in self.arguments and self.arguments["times"][0] > 0,
            "s without 0 and 1": "s" in self.arguments and self.arguments["s"][-1] < 1,
            "fewer samples than n": len(self.arguments["x"]) != s["n"],
        }
        named = {self.occasion, clip, f"activation {a['name']}", f"training of {s['train']}"}
        return frozenset(named | {name for name, holds in flags.items() if holds})

    @cached_property
    def expected(self) -> dict[str, Array]:
        """The reference's answer, whatever limits there are on the time of a call."""
        found = getattr(NumpyImplementation(), self.method)(self.network, *self.arguments.values())
        return {k: np.array(v) for k, v in found.items()} if isinstance(found, dict) else {"loss": np.asarray(found)}

    @cached_property
    def radius(self) -> Arrays:
        """How far each row of the parts of a right answer may lie off the reference's: shapes are leading ones of the parts'."""
        if self.method == "neural_ode":  # as the protocol asks; the reference's own error is a hundredth of it
            start = self.arguments["x"] @ self.arguments["weights"]["A"].T
            H, rtol = self.expected["hidden"], 1.01 * self.network["rtol"]
            end = replace(self, occasion=ONCE, arguments={**self.arguments, "s": np.array([1.0])}).expected["hidden"]
            moved, size = (euclid(np.concatenate([a, b]).reshape(len(H) + 1, -1)) for a, b in ((H - start, end - start), (H, end)))
            error, B = rtol * (100 * moved + size), float(np.linalg.norm(self.arguments["weights"]["B"], 2))
            return {"hidden": error[:-1], "output": np.asarray(B * error[-1])}
        run = _Run(self)
        if self.method != "flow":
            return {k: 2 * radius for k, (radius, _) in allowed(run, self.method).items()}
        (states, own), network = run.reference, self.network
        found = {}
        for k in BLOCKS:
            rows = states[k][0].reshape(len(states[k][0]), -1)
            start = np.ravel(self.arguments["params"][k])
            found[k] = asked(network, euclid(rows - start), euclid(rows)) + own[k][0]
        return {**found, "loss": _loss_radius(run, found)}

    def differences(self, a: Arrays, b: Arrays) -> dict[str, Array]:
        """|a - b| row by row, in units of what two right answers of their size may differ by."""
        out = {}
        for k, radius in self.radius.items():
            (left, right, own), shape = (np.asarray(v[k]) for v in (a, b, self.expected)), np.shape(radius)
            rows = [v.reshape(*shape, -1) for v in (left, right, own)]
            scale = np.max(euclid(rows[2]), initial=0.0)
            share = max(float(np.max(radius, initial=0.0)) / scale if scale else 0.0, _SLACK)
            size = np.maximum(euclid(rows[0]), euclid(rows[1]))
            more = share * np.maximum(size - euclid(rows[2]), 0.0)  # where both are larger than the right answer, so is what they may err
            if self.method == "flow" and k in BLOCKS:  # and where both have moved further
                start = np.ravel(self.arguments["params"][k])
                moved = np.minimum(euclid(rows[0] - start), euclid(rows[1] - start))
                more = more + np.maximum(asked(self.network, moved, size) - asked(self.network, euclid(rows[2] - start), size), 0.0)
            out[k] = _ratio(euclid(rows[0] - rows[1]), radius + more)
        return out

    def same(self, a: Answer, b: Answer) -> bool:
        """Whether two answers agree within what each may err; misbehaviours, where they are of one kind."""
        if isinstance(a, Misbehaviour) and isinstance(b, Misbehaviour):
            return (a.method, a.kind, _gist(a)) == (b.method, b.kind, _gist(b))
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            return all(np.all(d <= 1) for d in self.differences(a, b).values())
        return a is None and b is None

    def right(self, answer: Answer) -> bool:
        """Whether an answer is the reference's; what is unsupported is not wrong."""
        return answer is None or self.same(answer, self.expected)


def _gist(error: Misbehaviour) -> str:
    """An exception's type; other misbehaviours are told by their kind."""
    return str(error).split(": ")[2] if error.kind == "exception" else ""


def _ratio(difference: Array, unit: Array) -> Array:
    return np.where(difference == 0, 0.0, np.divide(difference, unit, out=np.full_like(difference, np.inf), where=unit > 0))


class _Run(Trajectory):
    """The reference at a question's parameters, or along its flow, for the radii."""

    def __init__(self, question: Question) -> None:
        a = question.arguments
        self.implementation, self.network = NumpyImplementation(), dict(question.network)
        self.batch = Batch(cast(Spec, None), self.network, a["params"], a["x"], a.get("y", np.zeros((len(a["x"]), self.network["dout"]))))
        self.times = np.asarray(a.get("times", (0.0,)))

    @cached_property
    def states(self) -> dict[str, Array]:
        """The parameters, or the reference flow."""
        if self.times[-1] == 0:
            return {k: v[None, None] for k, v in self.batch.params.items()}
        return {k: self.reference[0][k] for k in BLOCKS}

    @cached_property
    def forward(self) -> dict[str, Array]:
        """The reference's, not asked through `call`: its time is not limited."""
        return {"hidden": self.own[0].hidden, "output": self.own[0].output}

    @cached_property
    def loss(self) -> Array:
        """Likewise."""
        return residual.loss(self.own[0].output, self.batch.y)

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """Likewise."""
        return self.own[1]

    @cached_property
    def velocity(self) -> dict[str, Array]:
        """Likewise."""
        return self.own[2]


def _loss_radius(run: _Run, errors: Arrays) -> Array:
    """|ℓ(θ̂) - ℓ(θ)| <= Σ |∂ℓ| |θ̂ - θ| and rounding, as in `Trajectory.loss_error`."""
    g = {k: euclid(v[0].reshape(len(v[0]), -1)) for k, v in run.gradients.items()}
    return np.asarray(1.01 * sum(g[k] * errors[k] for k in BLOCKS) + 2 * run.rounding.loss[0])


# --- the questions

SIZES = (  # d, dout, q, m, L, n
    (2, 3, 5, 7, 4, 6),
    (3, 2, 5, 4, 7, 3),
    (4, 5, 6, 2, 3, 7),
    (1, 1, 2, 3, 1, 1),
    (3, 2, 4, 4, 2, 5),
)


def _network(sizes: Sequence[int], activation: str = "tanh", a: float = 1.0, b: float = 1.0, **more: Any) -> dict[str, Any]:
    d, dout, q, m, L, n = sizes
    network = {"version": 1, "d": d, "dout": dout, "q": q, "m": m, "n": n, "L": L, "activation": {"name": activation, "a": a, "b": b}}
    return {**network, "clip": None, "train": "AVWB", "rtol": 1e-9, **more}


def _arguments(s: Network, seed: int) -> dict[str, Any]:
    random = np.random.RandomState(seed)
    d, dout, q, m, L, n = (s[k] for k in ("d", "dout", "q", "m", "L", "n"))
    shapes = {"A": (q, d), "V": (L, q, m), "W": (L, m, q), "B": (dout, q)}
    return {
        "params": {k: random.standard_normal(shape) for k, shape in shapes.items()},
        "x": random.standard_normal((n, d)) + 0.3,
        "y": random.standard_normal((n, dout)) - 0.2,
    }


def _clipped(s: Network, arguments: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The network with a clip that acts on about half of what it is given."""
    v = NumpyImplementation().velocity(s, **arguments)
    if kind == "radial":
        norms = [*np.hypot(*(euclid(v[k].reshape(len(v[k]), -1)) for k in "VW")), *(np.linalg.norm(v[k]) for k in "AB")]
    else:
        norms = np.abs(np.concatenate([v[k].ravel() for k in BLOCKS])).tolist()
    return {**s, "clip": {"kind": kind, "radius": float(np.median(norms))}}


@cache
def _cases() -> tuple[tuple[dict[str, Any], dict[str, Any]], ...]:
    """Networks with params, x and y: plain ones, one for each activation and clip, A and B fixed."""
    networks = [_network(SIZES[0]), _network(SIZES[1]), _network(SIZES[2], "gelu", 1.3, 0.7, train="VW")]
    names = [name for name in CATALOGUE if name not in ("tanh", "gelu")]
    networks += [_network(SIZES[3 + i % 2], name, *((1.0, 1.0) if i % 3 else (0.8, 1.4))) for i, name in enumerate(names)]
    cases = [(s, _arguments(s, seed)) for seed, s in enumerate(networks)]
    for i, kind in enumerate(KINDS):
        s, arguments = cases[i % 2]
        cases.append((_clipped({**s, "train": "VW"} if kind == "smooth" else s, arguments, kind), arguments))
    return tuple(cases)


def _asked(method: str, network: Network, arguments: Mapping[str, Any], **more: Any) -> Question:
    return Question(method, network, {k: {**arguments, **more}[k] for k in ARGUMENTS[method]})


_GRID = np.linspace(-6, 6, 240)  # arguments of σ, without 0, where a normalisation has no value


def _probes() -> Iterator[Question]:
    """Networks with all sizes and weights 1 for each σ of the cases: h_1 - h_0 is σ at the samples."""
    ones = {k: np.ones(shape) for k, shape in (("A", (1, 1)), ("V", (1, 1, 1)), ("W", (1, 1, 1)), ("B", (1, 1)))}
    for name, a, b in dict.fromkeys((s["activation"]["name"], s["activation"]["a"], s["activation"]["b"]) for s, _ in _cases()):
        network = _network((1, 1, 1, 1, 1, len(_GRID)), name, a, b)
        yield replace(_asked("forward", network, {"params": ones, "x": _GRID[:, None]}), occasion=PROBED)


def _halved(params: Arrays) -> dict[str, Array]:
    return {k: 0.5 * v for k, v in params.items()}


def _again(first: Sequence[Question], samples: bool = True, batches: bool = True) -> Iterator[Question]:
    """A question again, twice in succession; the samples of another one alone; batches."""
    q, other = first[0], first[1]
    between = replace(q, arguments={k: _halved(v) if k in ("params", "weights") else v for k, v in q.arguments.items()})
    yield between
    yield replace(q, occasion=AGAIN, of=q)
    yield replace(q, occasion=TWICE, of=q)
    if samples:
        for i in range(len(other.arguments["x"])):
            few = {k: v[i : i + 1] if k in ("x", "y") else v for k, v in other.arguments.items()}
            yield replace(other, arguments=few, occasion=ALONE, of=other)
        yield replace(between, occasion=AGAIN, of=between)
    if batches:
        yield replace(q, occasion=TOGETHER, of=q, others=(between, between))
        yield replace(q, occasion=TOGETHER, of=q, others=(between, between), first=True)
        yield replace(other, occasion=TOGETHER, of=other, others=(first[2], q))


def _flows() -> Iterator[Question]:
    times = ((0.0, 0.02, 0.05), (0.03,), (0.02, 0.05))
    for (s, arguments), t in zip(_cases()[:3], times, strict=True):
        yield _asked("flow", s, arguments, times=np.array(t))
    s = _network((2, 1, 3, 2, 3, 2))
    arguments = _arguments(s, 40)
    for kind in KINDS:  # small: past kinks a flow takes many steps
        yield _asked("flow", _clipped(s, arguments, kind), arguments, times=np.array([0.02, 0.05]))


def _odes() -> Iterator[Question]:
    small = (_network((2, 1, 3, 2, 4, 2)), _network((1, 3, 4, 3, 7, 1), "sin", 0.8, 1.4))  # each takes hundreds of steps
    for seed, (s, at) in enumerate(zip(small, ((0.0, 0.25, 1.0), (0.3, 0.6)), strict=True)):
        arguments = _arguments({**s, "L": 4}, 50 + seed)
        weights = {k: v if k in "AB" else v / (1 + np.arange(4.0))[:, None, None] ** 2 for k, v in arguments["params"].items()}
        yield _asked("neural_ode", s, {"weights": weights, "x": arguments["x"]}, s=np.array(at))


def _given(spec: Spec, arrays: ArrayStore) -> list[Question]:
    """Each method at the initial state of a Spec."""
    b = realise(spec, arrays)
    arguments = {"params": b.params, "x": b.x, "y": b.y, "times": np.array(spec.times)}
    return [_asked(method, b.network, arguments) for method in METHODS if method != "neural_ode"]


@cache
def _standard() -> tuple[Question, ...]:
    found: list[Question] = []
    for method in METHODS[:4]:
        once = [_asked(method, s, arguments) for s, arguments in _cases()]
        found += [*once, *_again(once), *(_probes() if method == "forward" else ())]
    found += [replace(q, occasion=AGAIN, of=q) for q in found if q.network is _cases()[0][0] and q.occasion == ONCE]
    for once in (list(_odes()), list(_flows())):
        found += [*once, *_again(once, samples=False, batches=once[0].method == "flow")]
    return tuple(found)


def questions(specs: Sequence[Spec] = (), arrays: ArrayStore | None = None) -> list[Question]:
    """Ours and each method at the initial states of `specs` (plain and clipped flows only); flows, the dearest, at the end."""
    store = arrays if arrays is not None else ArrayStore()
    given = [q for spec in specs if spec.regime.kind in ("plain-flow", "clipped-flow") for q in _given(spec, store)]
    return sorted([*_standard(), *given], key=lambda q: q.method == "flow")
