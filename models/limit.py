"""The neural ODE (6), p. 4, with weights given as Chebyshev series in s, in NumPy.

    H(0) = A x,    H'(s) = 1/√m V(s) σ(W(s) H(s)/√q),    F(x) = B H(1)

with V(s) = Σ_j V[j] T_j(2s-1) and W(s) likewise.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import chebyshev

from depthlimit.models.activations import value
from depthlimit.models.flow import Block, local_tolerance, solve
from depthlimit.models.implementation import Arrays, Network
from depthlimit.theory.quantity import Array

# Asked is an error of 100 rtol of the displacement. This equation is cheap: a hundredth of rtol as local
# tolerance costs less than twice the steps and leaves the reference's error out of every comparison.
_LOCAL_SHARE = 1e-2


def weights_at(coefficients: Array, s: float) -> Array:
    """Σ_j coefficients[j] T_j(2s-1): [rows columns] from [N rows columns]."""
    T = chebyshev.chebvander(2 * s - 1, len(coefficients) - 1)  # [N]
    return np.asarray(np.tensordot(T.reshape(-1), coefficients, axes=1))


def neural_ode(spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
    """H(s) [S n q] as "hidden" and B H(1) [n dout] as "output" of (6), for x [n d].

    s [S] increases strictly in [0, 1]. Raises ValueError for another s and RuntimeError if the stepper fails.
    """
    s = np.asarray(s, dtype=float)
    if s.ndim != 1 or (len(s) and not (s.min() >= 0 and s.max() <= 1)):
        raise ValueError(f"s must lie in [0, 1] and increase strictly, got {s.tolist()}")
    q, m, activation = spec["q"], spec["m"], spec["activation"]
    V, W = weights["V"] / math.sqrt(m), weights["W"] / math.sqrt(q)
    start: Array = x @ weights["A"].T  # [n q]

    def rhs(s: float, state: Array) -> Array:
        u = state.reshape(start.shape) @ weights_at(W, s).T  # [n m]
        return np.asarray((value(activation, u) @ weights_at(V, s).T).reshape(-1))

    ends_at_1 = len(s) > 0 and s[-1] == 1
    stops = s if ends_at_1 else np.append(s, 1.0)
    moved = solve(rhs, start.reshape(-1), stops, local_tolerance(spec, _LOCAL_SHARE), [Block(start.size)])
    H = start + moved.reshape(-1, *start.shape)
    return {"hidden": H if ends_at_1 else H[:-1], "output": H[-1] @ weights["B"].T}
