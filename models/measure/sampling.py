"""Appendix B.2: the weights of the networks against the functions that they sample, and the last states."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.polynomial import chebyshev

from depthlimit.models.initialisation import evaluate_weights
from depthlimit.models.measure.euler import EulerRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.theory.quantity import Array, Field

_POINTS = 9  # of each piece, both ends among them


def _vector(V: Array, W: Array) -> Array:
    """(V, W) as vectors [S p]."""
    return np.concatenate([V.reshape(len(V), -1), W.reshape(len(W), -1)], axis=1)


def _error(run: EulerRun) -> float:
    """Of one value of a Chebyshev series with at most 40 terms, one way or another."""
    return 200 * U * float(sum(np.sum(np.abs(run.weights[k])) for k in "VW"))


@measures("theta_k", "Theta_k", on=EulerRun)
def weights(run: EulerRun) -> Mapping[str, Field]:
    """The weights of the shallowest network, and Θ(k/L) by Clenshaw's recurrence."""
    L = int(run.depths[0])
    s = np.arange(1, L + 1) / L
    V, W = (np.asarray(np.moveaxis(chebyshev.chebval(2 * s - 1, run.weights[k]), -1, 0), dtype=np.float64) for k in "VW")
    error = np.full(L, _error(run))
    return {
        "theta_k": Field(_vector(*run.sampled(L)), error, ("layer", "component")),
        "Theta_k": Field(_vector(V, W), error, ("layer", "component")),
    }


@measures("Theta_gap", on=EulerRun)
def interpolation(run: EulerRun) -> Field:
    """sup_s |Θ(s) - Θ^L(s)| at each depth: the largest over nine points of each of the L-1 pieces, and at s = 1."""
    found = []
    for L in map(int, run.depths):
        theta, pieces = _vector(*run.sampled(L)), max(L - 1, 1)
        s = (np.arange(pieces)[:, None] + np.linspace(0, 1, _POINTS)) / pieces
        along = _vector(*evaluate_weights(run.weights, s.ravel())).reshape(pieces, _POINTS, -1)
        last = _vector(*evaluate_weights(run.weights, np.ones(1))) - theta[-1]
        found.append(max(float(np.max(euclid(along - theta[:pieces, None]))), float(euclid(last)[0])))
    return Field(np.array(found), np.asarray(2 * _error(run)), ("batch",))


@measures("state_gap", "state_gap_here", "output_gap_here", on=EulerRun)
def last_state(run: EulerRun) -> Mapping[str, Field]:
    """sup_x |H(1) - h_L| at each depth; the same, and sup_x |F(x) - F^L(x)|, of the computed states, with rounding alone."""
    H, F, error = run.ode["hidden"][-1], run.ode["output"], float(run.ode_error[-1])
    states = np.array([float(np.max(euclid(f["hidden"][-1] - H))) for f, _ in run.forwards])
    outputs = np.array([float(np.max(euclid(f["output"] - F))) for f, _ in run.forwards])
    rounding = 4 * U * float(np.max(euclid(H)))
    radii = np.array([float(np.linalg.norm(r.states[0, -1])) for _, r in run.forwards]) + error + rounding
    product = 4 * gamma(run.spec.q + 2) * float(frobenius(run.weights["B"]) * np.max(euclid(H)))  # of B H(1) and of B h_L
    return {
        "state_gap": Field(states, radii, ("batch",)),
        "state_gap_here": Field(states, np.asarray(rounding), ("batch",)),
        "output_gap_here": Field(outputs, np.asarray(product), ("batch",)),
    }
