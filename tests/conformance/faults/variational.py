"""Faults in the equation of successive weights and its bounds, in the layerwise conservation law, and in the bounds without clipping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import BASE, GP, Fault, claim_fault, redefined, scaled
from depthlimit.models import corpus, residual
from depthlimit.models.data import ArrayStore
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import Trajectory, realise
from depthlimit.models.variational import Linearisation, rows
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.variational import hd
from depthlimit.theory.quantity import Array
from depthlimit.theory.registry import quantities

SPECS: dict[str, Spec] = {
    "parting": Spec.model_validate({**BASE, "regime": {"kind": "plain-flow"}, "T": 1.0, "init": GP}),
    "parting-clipped": Spec.model_validate(
        {**BASE, "regime": {"kind": "clipped-flow"}, "T": 0.1, "clip": {"kind": "smooth", "radius": 0.5}}
    ),
    "growing": Spec.model_validate({**BASE, "regime": {"kind": "plain-flow"}, "T": 2.0, "data": {"kind": "sphere", "label_scale": 2.0}}),
    "aligned": corpus.ALIGNED,
    "frobenius": corpus.FROBENIUS,
    "saturated-plain": corpus.SATURATED,
    "short": corpus.SHORT,
}


class NoSource(Linearisation):
    """The source e_k is forgotten."""

    @property
    def source(self) -> Array:
        """0."""
        return np.zeros_like(self.difference)


class WrongSign(Linearisation):
    """M_k has the wrong sign."""

    @property
    def matrices(self) -> Array:
        """-M_j."""
        return -super().matrices


class OwnSlope(Linearisation):
    """The block D_j, in which σ' changes, is forgotten."""

    @property
    def matrices(self) -> Array:
        """M_j with D_j = 0."""
        M, q = super().matrices, self.spec["q"]
        M[..., q:, q:] = 0
        return M


class Smallest(Linearisation):
    """The logarithmic norm is the smallest eigenvalue, and the operator norm the smallest singular value."""

    def growth(self, M: Array) -> Array:
        """λ_min."""
        return np.asarray(np.linalg.eigvalsh(-(M + residual.transposed(M)) / 2)[..., 0])

    def size(self, M: Array) -> Array:
        """The smallest singular value."""
        return np.asarray(np.linalg.svd(M, compute_uv=False)[..., -1])


class LostGrowth(Linearisation):
    """b_j of the directions does not grow with μ_j, which is taken from G_j."""

    def rates(self, now: Mapping[str, Array]) -> dict[str, Array]:
        """μ_j b_j is dropped."""
        return {**super().rates(now), "weights": rows(self.source)}


class OneFactor(Linearisation):
    """M_j acts on G_j from one side only, as on a vector."""

    def rates(self, now: Mapping[str, Array]) -> dict[str, Array]:
        """Half of M_jG_j + G_jM_jᵀ is put back."""
        G, found = now["directions"], super().rates(now)
        MG = self.matrices @ G
        return {**found, "directions": found["directions"] + (MG + residual.transposed(MG)) / 2}


class SeriesSign(Linearisation):
    """The third term of the series has the wrong sign."""

    def rates(self, now: Mapping[str, Array]) -> dict[str, Array]:
        """E_3' = -M E_2."""
        found = super().rates(now)
        return {**found, "E3": -found["E3"]}


class SeriesEnd(Linearisation):
    """The third term of the series, and with it the source of the remainder, is forgotten."""

    def rates(self, now: Mapping[str, Array]) -> dict[str, Array]:
        """E_3 = 0."""
        found = super().rates(now)
        return {**found, "E3": np.zeros_like(found["E3"])}


def _planted(name: str, kind: type[Linearisation], specs: tuple[str, ...], *caught_by: str) -> Fault:
    class Planted(Trajectory):
        linearisation = kind

    def start(spec: Spec, store: ArrayStore) -> Trajectory:
        return Planted(realise(spec, store), NumpyImplementation())

    return Fault(name, (kind.__doc__ or "").splitlines()[0], specs, tuple(_id(c) for c in caught_by), runs=start)


def _id(name: str) -> str:
    return f"variational.{name}[sharpened,{'instantaneous' if name == 'equation' or name.startswith('norm-rate') else 'along-trajectory'}]"


def _without(remainder: str) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, rhs=c.rhs.xreplace({quantities()[remainder].symbol: sp.Integer(0)}))


def _cubed(c: Claim) -> Claim:
    return replace(c, rhs=c.rhs.xreplace({Q.t: Q.t ** sp.Rational(3, 2)}))


_UNCLIPPED = "unclipped.{}[sharpened,a-priori]"
FAULTS: tuple[Fault, ...] = (
    _planted(
        "variational-without-source",
        NoSource,
        ("parting", "growing", "parting-clipped"),
        *("equation", "one-sided", "one-sided-neurons", "one-sided-directions", "one-sided-clipped"),
        *("two-sided", "two-sided-above", "second-order", "second-order-above", "third-order", "third-order-above"),
    ),
    _planted(
        "variational-sign",
        WrongSign,
        ("parting", "growing"),
        *("equation", "second-order", "second-order-above", "second-order-below", "third-order", "third-order-above", "third-order-below"),
    ),
    _planted("variational-without-curvature", OwnSlope, ("parting",), "equation", "two-sided", "second-order", "third-order"),
    _planted(
        "variational-smallest-growth",
        Smallest,
        ("parting", "growing"),
        *("one-sided", "one-sided-neurons", "two-sided", "second-order", "third-order"),
    ),
    _planted("directions-without-growth", LostGrowth, ("parting",), "one-sided-directions"),
    _planted("directions-from-one-side", OneFactor, ("parting",), "one-sided-directions"),
    _planted("series-wrong-sign", SeriesSign, ("parting",), "third-order", "third-order-above"),
    _planted("series-without-third-term", SeriesEnd, ("parting",), "third-order"),
    *(
        claim_fault(f"variational-{name}-without-remainder", spec, _id(name), "the remainder is dropped", _without(radius))
        for name, radius, spec in (
            ("two-sided-above", "first_radius", "parting"),
            ("two-sided-below", "first_radius", "parting"),
            ("second-order-above", "second_radius", "aligned"),
            ("third-order-above", "third_radius", "growing"),
            ("third-order-below", "third_radius", "growing"),
        )
    ),
    claim_fault(
        "norm-with-operator-norm",
        "frobenius",
        _id("norm-rate-V"),
        "|V_kS_k|_2 for |V_kS_k|_F in c_V",
        redefined(h_dF=hd),
    ),
    *(
        claim_fault(
            f"norm-rate-{letter}-without-{name}", spec, _id(f"norm-rate-{letter}"), f"{name} dropped", redefined(**{name: sp.Integer(0)})
        )
        for letter, name, spec in (
            ("V", "N_1", "aligned"),
            ("V", "c_V", "frobenius"),
            ("W", "N_1", "aligned"),
            ("W", "c_W", "frobenius"),
        )
    ),
    claim_fault("norm-without-source", "growing", _id("norm"), "c dropped", redefined(c_V=sp.Integer(0), c_W=sp.Integer(0))),
    *(
        claim_fault(
            f"balance-{name}-per-sample",
            "plain",
            f"identities.balance-{name}[sharpened,instantaneous]",
            "per-sample adjoints, without the 1/n",
            scaled(Q.n),
        )
        for name in ("layer", "embedding", "readout")
    ),
    *(
        claim_fault(f"unclipped-{name}-unmoved", "growing", _UNCLIPPED.format(name), "D dropped", redefined(D=sp.Integer(0)))
        for name in ("A", "B", "hidden")
    ),
    claim_fault(
        "unclipped-adjoint-halved", "saturated-plain", _UNCLIPPED.format("adjoint"), "the 2 of p_L dropped", scaled(sp.Rational(1, 2))
    ),
    claim_fault("unclipped-V-without-2", "saturated-plain", _UNCLIPPED.format("V"), "the 2 of p_L dropped", scaled(sp.Rational(1, 2))),
    claim_fault("unclipped-W-cubed", "saturated-plain", _UNCLIPPED.format("W"), "t³ for t²", _cubed),
    claim_fault("unclipped-gap-cubed-depth", "short", _UNCLIPPED.format("gap"), "1/L³ for 1/L", scaled(1 / Q.L**2)),
)
