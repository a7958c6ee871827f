"""Measures of Section 4.3: the drawn initial parameters against the function that they discretise, and its covariance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.data import ArrayStore
from depthlimit.models.initialisation import GP_TERMS, lipschitz, smooth_function
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, frobenius, gamma
from depthlimit.models.spec import FourierInit, GaussianProcessInit
from depthlimit.models.trajectory import Trajectory
from depthlimit.theory.quantity import Field, number

_SMOOTH = ("paper", "gp", "fourier")
_DROPPED = 2e-19  # of scale²: the covariance of the terms that the sum leaves out (`initialisation`)


@measures("smooth_init", "gp_init", "lipschitz_init", on=Trajectory)
def kinds(run: Trajectory) -> Mapping[str, Field]:
    """What kind of initialisation it is."""
    init = run.spec.init
    return {
        "smooth_init": number(float(init.kind in ("paper", "gp", "fourier"))),
        "gp_init": number(float(isinstance(init, GaussianProcessInit))),
        "lipschitz_init": number(float(isinstance(init, FourierInit | GaussianProcessInit))),
    }


@measures("Z_initial", "Z_function", on=Trajectory)
def discretisation(run: Trajectory) -> Mapping[str, Field]:
    """All layers of the drawn parameters, and the function at one k/L after the other, each value on its own."""
    L, params = run.network["L"], run.batch.params
    axes = ("batch", "layer", "component")
    Z = np.concatenate([params[k].reshape(L, -1) for k in "VW"], axis=1)
    if run.spec.init.kind not in _SMOOTH:  # no function of depth: nothing to compare
        return {name: Field(np.zeros((1, 0, Z.shape[1])), np.zeros(()), axes) for name in ("Z_initial", "Z_function")}
    function = smooth_function(run.spec, ArrayStore())
    values = [function(np.array([k / L])) for k in range(1, L + 1)]
    there = np.stack([np.concatenate([V.ravel(), W.ravel()]) for V, W in values])
    return {"Z_initial": Field(Z[None], np.zeros(()), axes), "Z_function": Field(there[None], np.zeros(()), axes)}


@measures("gp_covariance", "gp_distance", "gp_length", "gp_scale", on=Trajectory)
def covariance(run: Trajectory) -> Mapping[str, Field]:
    """Σ_j f_j(1/L) f_j(k/L): f_j is a product of j + 3 factors, each rounded a few times, and |Σ_j f_j f_j| <= scale²."""
    init, L = run.spec.init, run.network["L"]
    if not isinstance(init, GaussianProcessInit):
        none = Field(np.zeros(0), np.zeros(()), ("layer",))
        return {"gp_covariance": none, "gp_distance": none, "gp_length": number(0.0), "gp_scale": number(0.0)}
    s = np.arange(1, L + 1) / L
    factors = smooth_function(run.spec, ArrayStore()).factors(s)  # [L terms]
    radius = (gamma(16 * GP_TERMS) + _DROPPED) * init.scale**2
    distance = s - s[0]
    return {
        "gp_covariance": Field(np.abs(factors @ factors[0]), np.full(L, radius), ("layer",)),
        "gp_distance": Field(distance, np.full(L, 4 * U), ("layer",)),
        "gp_length": number(init.length),
        "gp_scale": number(init.scale),
    }


@measures("start_step_V", "start_step_W", "lip_V", "lip_W", on=Trajectory)
def steps(run: Trajectory) -> Mapping[str, Field]:
    """Successive differences of the drawn parameters, and the proved constants (upper bounds). An entry is a sum of terms with 16 roundings
    each; those of the Gaussian process have factors f_j with Σ f_j² <= scale²."""
    init = run.spec.init
    known = isinstance(init, FourierInit | GaussianProcessInit)
    bounds, fields = dict(zip("VW", lipschitz(run.spec) if known else (np.inf, np.inf), strict=True)), {}
    for k in "VW":
        X = run.batch.params[k]
        size = frobenius(X)
        step = frobenius(np.diff(X, axis=0))
        own = gamma(X[0].size + 6) * step + gamma(16) * (size[1:] + size[:-1])
        if isinstance(init, GaussianProcessInit):
            terms = getattr(smooth_function(run.spec, ArrayStore()), k)
            own = own + 2 * gamma(16 * GP_TERMS) * init.scale * np.linalg.norm(terms)
        fields[f"start_step_{k}"] = Field(step[None], own[None], ("batch", "layer"))
        fields[f"lip_{k}"] = number(bounds[k], 0.0)
    return fields
