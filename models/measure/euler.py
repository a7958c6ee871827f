"""Proposition 2: a fixed neural ODE against its discretisations, and (6) against an independent solver."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev
from scipy.integrate import solve_ivp

from depthlimit.models import activations
from depthlimit.models.calls import call
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Implementation
from depthlimit.models.initialisation import chebyshev_weights, evaluate_weights
from depthlimit.models.measure.extrapolate import slope
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import Rounding, U, euclid, frobenius
from depthlimit.models.spec import EulerScheme, Spec
from depthlimit.models.trajectory import operator_norm, realise
from depthlimit.theory.quantity import Array, Field, number


class EulerRun:
    """The neural ODE of a spec's smooth weights and its networks at every depth of the ladder."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation) -> None:
        assert isinstance(spec.regime, EulerScheme)
        self.spec, self.implementation = spec, implementation
        self.depths = np.array(spec.regime.depths)
        self.batch = realise(spec, arrays, 1)
        self.weights = chebyshev_weights(spec, spec.regime.coefficients, arrays)
        self.s = np.linspace(0, 1, 9)

    @cached_property
    def ode(self) -> dict[str, Array]:
        """The implementation's neural ODE at nine values of s."""
        answer: dict[str, Array] = call(
            self.implementation, "neural_ode", self.batch.network, weights=self.weights, x=self.batch.x, s=self.s
        )
        return answer

    @cached_property
    def ode_error(self) -> Array:
        """What the protocol allows, Frobenius over samples [S]: 1e-7 of the displacement and 1e-9 of the norm at the default rtol."""
        H, rtol = self.ode["hidden"], self.spec.rtol
        return np.asarray(100 * rtol * frobenius(H - H[0]) + rtol * frobenius(H))

    @cached_property
    def reference(self) -> tuple[Array, float]:
        """Radau IIA (implicit, order 5; the implementation's method is another) at two tolerances: states [S n q] and error."""
        b, net = self.batch, self.batch.network
        n, q, m = len(b.x), net["q"], net["m"]

        def rhs(s: float, flat: Array) -> Array:
            H = flat.reshape(n, q)
            V, W = (chebyshev.chebval(2 * s - 1, self.weights[k]) for k in "VW")
            u = np.einsum("mq,nq->nm", W, H) / np.sqrt(q)
            return np.asarray(np.einsum("qm,nm->nq", V, activations.value(net["activation"], u)) / np.sqrt(m)).ravel()

        start = np.einsum("qd,nd->nq", self.weights["A"], b.x).ravel()
        runs = [
            solve_ivp(rhs, (0, 1), start, method="Radau", t_eval=self.s, rtol=rtol, atol=rtol * max(1e-300, float(np.abs(start).max())))
            for rtol in (1e-11, 1e-9)
        ]
        for r in runs:
            if not r.success:
                raise RuntimeError(f"the independent solver of (6) failed: {r.message}")
        fine, coarse = (r.y.T.reshape(len(self.s), n, q) for r in runs)
        return fine, float(np.max(frobenius(fine - coarse))) + 2.0**-45 * float(np.max(frobenius(fine)))

    def sampled(self, L: int) -> tuple[Array, Array]:
        """V_k = 𝒱(k/L) [L q m] and W_k = 𝒲(k/L) [L m q], k = 1..L."""
        return evaluate_weights(self.weights, np.arange(1, L + 1) / L)

    @cached_property
    def forwards(self) -> list[tuple[dict[str, Array], Rounding]]:
        """The implementation's states and outputs at each depth, and their rounding."""
        found = []
        for L in map(int, self.depths):
            V, W = self.sampled(L)
            params = {"A": self.weights["A"], "B": self.weights["B"], "V": V, "W": W}
            net = self.spec.network(L)
            f = call(self.implementation, "forward", net, params=params, x=self.batch.x)
            lead = {k: v[None] for k, v in params.items()}
            found.append((f, Rounding(net, lead, self.batch.x, self.batch.y, f["hidden"][None], f["output"][None])))
        return found

    @cached_property
    def networks(self) -> tuple[Array, Array, Array, float]:
        """sup_x |F(x) - F^L(x)| over the inputs at each depth, the root of the sum of squares, the radius of both, the largest state."""
        values, totals, radii, largest = [], [], [], 0.0
        B = float(np.linalg.norm(self.weights["B"], 2))
        for f, r in self.forwards:
            difference = f["output"] - self.ode["output"]
            values.append(float(np.max(euclid(difference))))
            totals.append(float(frobenius(difference)))
            own = float(np.linalg.norm(r.readout[0] + B * r.states[0, -1]))
            radii.append(own + B * float(self.ode_error[-1]) + U * totals[-1])
            largest = max(largest, float(np.max(euclid(f["hidden"]))))
        return np.array(values), np.array(totals), np.array(radii), largest


register_instance(EulerRun)


def polynomial_supremum(coefficients: Array, norm: str) -> tuple[float, float]:
    """sup over [-1, 1] of |p(x)| for a matrix polynomial in the Chebyshev basis [N rows columns], and a radius.

    On M Chebyshev points a polynomial of degree D < M has sup <= max/cos(πD/(2M)) (Ehlich and Zeller 1964; for matrices by duality
    of norms); here M = 64 D, which leaves 3e-4. norm: "operator" or "frobenius".
    """
    degree = max(len(coefficients) - 1, 1)
    M = 64 * degree
    x = np.cos(np.pi * (np.arange(M) + 0.5) / M)
    values: Array = np.moveaxis(np.asarray(chebyshev.chebval(x, coefficients), dtype=np.float64), -1, 0)
    size = operator_norm(values)[0] if norm == "operator" else frobenius(values)
    low = float(np.max(size)) * (1 - 1e-13)
    high = float(np.max(size)) / np.cos(np.pi * degree / (2 * M)) * (1 + 1e-12)
    return (low + high) / 2, (high - low) / 2


@measures("v_ode", "w_ode", "C_Theta", "a_sup", "u_sup", "B_op", on=EulerRun)
def constants(run: EulerRun) -> Mapping[str, Field]:
    """Inputs of the constant of Proposition 2, over all of [0, 1] and not a grid."""
    w = run.weights
    V, W = w["V"], w["W"]
    dV, dW = (2 * chebyshev.chebder(k) for k in (V, W))  # d/ds of p(2s - 1)
    both = np.concatenate([dV.reshape(len(dV), -1), dW.reshape(len(dW), -1)], axis=1)[:, None, :]
    start = np.einsum("qd,nd->nq", w["A"], run.batch.x)
    a = float(np.max(euclid(start)))
    along = euclid(run.ode["hidden"])
    between = float(np.max(np.abs(np.diff(along, axis=0)))) + float(np.max(run.ode_error))
    u = max(float(np.max(along)), run.networks[3])
    return {
        "v_ode": number(*polynomial_supremum(V, "operator")),
        "w_ode": number(*polynomial_supremum(W, "operator")),
        "C_Theta": number(*polynomial_supremum(both, "frobenius")),
        "a_sup": number(a, 1e-13 * a),
        "u_sup": number(u, between),
        "B_op": number(*map(float, operator_norm(w["B"]))),
    }


@measures("H_s", "H_ref", "F_ode", "B_H1", on=EulerRun)
def solution(run: EulerRun) -> Mapping[str, Field]:
    """(6): the implementation's states and output against the independent solver."""
    reference, error = run.reference
    LC = ("layer", "component")
    B = float(np.linalg.norm(run.weights["B"], 2))
    product = np.einsum("oq,nq->no", run.weights["B"], run.ode["hidden"][-1])
    own = 1e-13 * B * float(frobenius(run.ode["hidden"][-1]))  # rounding of products with inner dimension q <= 256
    return {
        "H_s": Field(run.ode["hidden"].reshape(len(run.s), -1), run.ode_error, LC),
        "H_ref": Field(reference.reshape(len(run.s), -1), np.full(len(run.s), error), LC),
        "F_ode": Field(run.ode["output"].ravel(), np.asarray(own), ("component",)),
        "B_H1": Field(product.ravel(), np.asarray(own), ("component",)),
    }


@measures("depth", "output_gap", "slope_output", on=EulerRun)
def distances(run: EulerRun) -> Mapping[str, Field]:
    """Distances of outputs on the ladder, and the slope of their root sum of squares (a maximum over x has kinks in 1/L)."""
    values, totals, radii, _ = run.networks
    value, radius = slope(totals, radii)
    return {
        "depth": Field(run.depths.astype(float), np.zeros(()), ("batch",)),
        "output_gap": Field(values, radii, ("batch",)),
        "slope_output": number(value, radius),
    }
