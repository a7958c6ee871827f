"""check: from a Spec to records. One run per spec, all claims of its regime judged on it.

    >>> records = check(spec, implementation)        # doctest: +SKIP

An exception stops only the claims that need what raised it: a missing method is `unsupported` with its reason, anything else `errored`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from depthlimit.models.calls import MethodUnsupported, Misbehaviour
from depthlimit.models.consistency import ConsistencyRun
from depthlimit.models.data import ArrayStore
from depthlimit.models.families import FamilyRun
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.implementation import Implementation
from depthlimit.models.kernel_run import KernelRun
from depthlimit.models.limit_map import LimitMapRun
from depthlimit.models.measure import counterexamples, euler, ladder, prop5, prop5_seeds, random_matrix, relu, relu_ladder, section51
from depthlimit.models.measure.certificate import CertificateRun
from depthlimit.models.measure.double_limit_run import DoubleRun
from depthlimit.models.measure.general_long_run import GeneralLongRun
from depthlimit.models.measure.limit_run import LimitRun
from depthlimit.models.measure.long_flow import LongRun
from depthlimit.models.measure.registry import Fields, measured
from depthlimit.models.spec import BadInput, Spec
from depthlimit.models.trajectory import StateRun, Trajectory, realise
from depthlimit.theory import judgement as J
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.claim import Claim, supply_with
from depthlimit.theory.enclosure import evaluate
from depthlimit.theory.paper.theorem4 import PARTS
from depthlimit.theory.quantity import AXES, Array, Field
from depthlimit.theory.record import record
from depthlimit.theory.registry import claims

RUNS: dict[str, type] = {
    "plain-flow": Trajectory,
    "clipped-flow": Trajectory,
    "local-pl": CertificateRun,
    "pl-ball": prop5.BallRun,
    "pl-seeds": prop5_seeds.SeedsRun,
    "depth-ladder": ladder.LadderRun,
    "iid-ladder": ladder.IidRun,
    "euler-scheme": euler.EulerRun,
    "euler-ladder": euler.EulerRun,
    "general-flow": GeneralRun,
    "general-long": GeneralLongRun,
    "long-flow": LongRun,
    "training-limit": LimitRun,
    "general-limit": LimitRun,
    "double-limit": DoubleRun,
    "network": StateRun,
    "general-euler": ConsistencyRun,
    "limit-map": LimitMapRun,
    "random-matrix": random_matrix.RandomMatrixRun,
    "kernel-matrix": KernelRun,
    "relu": relu.ReluRun,
    "family": FamilyRun,
    "relu-ladder": relu_ladder.ReluLadderRun,
    "descent": section51.DescentRun,
    "published-figure": section51.PublishedRun,
    "counterexamples": counterexamples.CounterexamplesRun,
}
THREADS = 1  # of BLAS and torch in every process: the order of sums, and so every bit, must not depend on the number of workers


def run(spec: Spec, implementation: Implementation, arrays: ArrayStore | None = None) -> Any:
    """The run of a spec, of the type that its regime has. Nothing is computed yet but the realised arrays."""
    store = arrays if arrays is not None else ArrayStore()
    kind = spec.regime.kind
    if kind in ("plain-flow", "clipped-flow", "network"):
        return RUNS[kind](realise(spec, store), implementation)
    if kind == "iid-ladder":
        return ladder.IidRun(spec, store)
    if kind == "general-euler":
        return ConsistencyRun(spec, store)
    return RUNS[kind](spec, store, implementation)


def judge(claim: Claim, fields: Mapping[str, Field], properties: frozenset[str]) -> J.Judgement:
    """One claim on one run; exceptions become verdicts."""
    try:
        return claim.judge(fields, properties)
    except MethodUnsupported as error:
        return J.Judgement(J.UNSUPPORTED, scale=claim.scale, reason=str(error))
    except (BadInput, MemoryError):
        raise
    except Misbehaviour as error:
        return J.Judgement(J.ERRORED, scale=claim.scale, reason=str(error))
    except Exception as error:  # of what is measured with an implementation's wrong answers; it stops this claim only
        return J.Judgement(J.ERRORED, scale=claim.scale, reason=f"{type(error).__name__}: {error}")


def applicable(spec: Spec, selected: Iterable[Claim] | None = None) -> list[Claim]:
    """The claims of the spec's regime, in order of registration."""
    return [c for c in (claims() if selected is None else selected) if spec.regime.kind in c.regimes]


def check(
    spec: Spec, implementation: Implementation, arrays: ArrayStore | None = None, selected: Iterable[Claim] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Records of all claims that apply to the spec, and the curves along t, L and k for plots."""
    fields = Fields(run(spec, implementation, arrays))
    properties = CATALOGUE[spec.activation.name].properties
    body = spec.to_json()
    records, curves = [], []
    for claim in applicable(spec, selected):
        judged = judge(claim, fields, properties)
        records.append(record(claim, judged, spec.regime.kind, body))
        if judged.verdict in (J.HOLDS, J.VIOLATED) and claim.scale == "linear":
            curves += _curves(claim, fields, spec)
            curves += _errors(claim, fields, spec) if judged.verdict == J.VIOLATED else []
    return records, curves


_CURVED = {"prop7", "prop3", "prop2", "prop11", "certificate", "averaged", "control", "identities"}
_CURVED |= {f"thm4.{part}" for part in PARTS}
_CURVED |= {f"prop8.{name}" for name in ("eq24", "eq25", "successive", "long-decay", "long-adjoint-decay")}


def _curves(claim: Claim, fields: Mapping[str, Field], spec: Spec) -> list[dict[str, Any]]:
    """Both sides along each axis that has more than one point, at the other axes' worst point of the left side."""
    if not {claim.label.split(".")[0], claim.label} & _CURVED or claim.relation == "=":
        return []
    sides = np.broadcast_arrays(*(evaluate(s, fields, claim.where).size() for s in (claim.lhs, claim.rhs)))
    out = []
    for axis, name in ((1, "t"), (2, "k"), (0, "L")):
        if sides[0].shape[axis] < 2 or (axis == 0 and "depths" not in spec.regime.model_dump()) or _unordered(name, spec):
            continue
        others = tuple(i for i in range(len(AXES) - 1) if i != axis)
        left, right = (np.max(s, axis=others) for s in sides)
        if name == "t":
            x = np.array(spec.times)[-len(left) :]
        elif name == "L":
            x = np.array(spec.regime.depths)[-len(left) :]  # type: ignore[union-attr]
        else:
            x = np.arange(1, len(left) + 1)
        out.append(_curve(claim, spec, name, x, left, right))
    return out


def _unordered(axis: str, spec: Spec) -> bool:
    """Several networks of one Spec stand where a flow has its times; nothing is drawn along them."""
    return axis == "t" and spec.regime.kind == "network"


def _curve(claim: Claim, spec: Spec, axis: str, x: Array, left: Array, right: Array) -> dict[str, Any]:
    return {
        "claim": claim.id,
        "regime": spec.regime.kind,
        "spec": spec.digest(),
        "axis": axis,
        "x": [float(v) for v in x],
        "lhs": [float(v) if np.isfinite(v) else None for v in left],
        "rhs": [float(v) if np.isfinite(v) else None for v in right],
        "label": f"L={spec.L} q={spec.q} m={spec.m} n={spec.n} {spec.activation.name}",
    }


def _errors(claim: Claim, fields: Mapping[str, Field], spec: Spec) -> list[dict[str, Any]]:
    """Of an equality that ought to hold: the error in units of what is allowed, and 1, along layers and times, at the worst of the others.

    V and W of a flow are compared as a whole at each time, so along the layers stand the shares that their layers have in the error.
    """
    if claim.relation != "=" or claim.expect is not None or RUNS[spec.regime.kind] not in (Trajectory, StateRun, CertificateRun):
        return []
    left, right = (evaluate(side, fields, claim.where) for side in (claim.lhs, claim.rhs))
    difference = np.atleast_1d(left.mid - right.mid)
    if claim.label.endswith((".flow-V", ".flow-W")):  # [batch time 1 1 entries], layers first
        difference = difference.reshape(*difference.shape[:2], spec.L, 1, -1)
    with np.errstate(all="ignore"):
        size = np.sqrt(np.sum(difference**2, axis=-1)) if left.vector or right.vector else np.abs(difference)
        error = np.where(size == 0, 0.0, size / (left.rad + right.rad))  # [batch time layer sample]
    out = []
    for axis, name in ((2, "k"), (1, "t")):
        number = error.shape[axis]
        if number > 1 and not _unordered(name, spec):
            values = np.max(error, axis=tuple(i for i in range(len(AXES) - 1) if i != axis))
            layers = np.arange(number) + (number == spec.L)  # of states and adjoints there is one more than of layers
            x = layers if name == "k" else np.array(spec.times)[-number:]
            out.append(_curve(claim, spec, f"errors-{name}", x, values, np.ones(number)))
    return out


def _supply(spec: Any) -> Mapping[str, Field]:
    from depthlimit.models.implementation import load
    from depthlimit.models.spec import read_spec

    parsed = spec if isinstance(spec, Spec) else read_spec(spec, "spec")
    return Fields(run(parsed, load("numpy")))


supply_with(_supply)


def unmeasured() -> list[tuple[str, str]]:
    """Pairs (claim, quantity) of the registry that no measure supplies on the claim's regimes: empty, and tested to be."""
    return [(c.id, name) for c in claims() for regime in c.regimes for name in sorted(c.symbols()) if not measured(name, RUNS[regime])]
