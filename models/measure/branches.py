"""Measures of Section 4.3: branches against their definitions, Taylor's formula, difference quotients of any length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import softmax

from depthlimit.models import activations
from depthlimit.models.attention import Attention
from depthlimit.models.branches import WIDTH
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.measure.counterexamples import CounterexamplesRun
from depthlimit.models.measure.general import BTL, BTLN, BTLNC, size
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, gamma
from depthlimit.models.spec import GeneralFlow, Spec
from depthlimit.theory.quantity import Array, Field, number

_FAR = (1.0, 10.0, 100.0, 1000.0)
_STEP = 2.0**-14


def _unit(v: Array) -> Array:
    return np.asarray(v / euclid(v)[..., None])


def defined(spec: Spec, h: Array, z: Array) -> Array:
    """The branch of a spec for one state h [q] and parameter z [p], term by term as its source writes it."""
    assert isinstance(spec.regime, GeneralFlow)
    kind, q, m, sigma = spec.regime.residual, spec.q, spec.m, spec.activation.model_dump()
    if kind == "linear":
        return sum((h[b] * z[b::q] for b in range(q)), np.zeros(q))
    if kind == "sine":
        return 2 * h * np.sin(z / 2) * np.cos(z / 2)
    if kind == "perceptron":
        V, W = z[: q * m].reshape(q, m), z[q * m :].reshape(m, q)
        units = (activations.value(sigma, np.array([W[c] @ h / np.sqrt(q)]))[0] * V[:, c] for c in range(m))
        return np.asarray(sum(units, np.zeros(q)) / np.sqrt(m))
    if kind == "convolution":
        v, w = z.reshape(2, m // q, WIDTH)

        def slide(kernel: Array, signal: Array) -> Array:
            return np.array([sum(kernel[j] * signal[(i + j - 1) % q] for j in range(WIDTH)) for i in range(q)])

        channels = (slide(v[c], activations.value(sigma, slide(w[c], h) / np.sqrt(q))) for c in range(m // q))
        return np.asarray(sum(channels, np.zeros(q)) / np.sqrt(m))
    X = h.reshape(m, -1)
    D = X.shape[1]
    W, V = z.reshape(2, D, D)
    scores = np.array([[-np.sum(((x - y) @ W) ** 2) / np.sqrt(D) for y in X] for x in X])
    return np.asarray(softmax(scores, axis=1) @ X @ (W @ W.T / np.sqrt(D)) @ V).ravel()


@measures("Z_initial", "Z_function", "smooth_init", on=GeneralRun)
def discretisation(run: GeneralRun) -> Mapping[str, Field]:
    """Z_k(0) and Z0 + (k/L) Z1, which is rounded three times."""
    c, L = run.coefficients, run.spec.L
    there = np.stack([c["Z0"] + k * c["Z1"] / L for k in range(1, L + 1)])
    own = 4 * U * (euclid(c["Z0"]) + euclid(c["Z1"]))
    here = {"Z_initial": run.batch.params["Z"], "Z_function": there}
    return {name: Field(v[None], own, ("batch", "layer", "component")) for name, v in here.items()} | {"smooth_init": number(1.0)}


@measures("f_other", on=GeneralRun)
def by_definition(run: GeneralRun) -> Field:
    """By `defined`, one state after the other. Its sums have fewer than 8(q + p) terms, none of which exceeds ‖∂₁f‖ |h| by more than the
    factor √N(2 + 2ρ + γ₀)/γ₁ of attention, below 8 for N up to 30; it rounds once as the branch does."""
    h, Z = run.hidden[..., :-1, :, :], run.states["Z"]
    values = np.stack([defined(run.spec, h[i], Z[i[:-1]]) for i in np.ndindex(h.shape[:-1])]).reshape(h.shape)
    own = gamma(8 * (run.branch.q + run.branch.p) + 64) * run.bounds[0] * euclid(h)
    return Field(values, run.evaluation[0] + own, BTLNC)


@measures("taylor_rest", "step_h", "step_z", "K11_near", "K21_near", "K22_near", on=GeneralRun)
def taylor(run: GeneralRun) -> Mapping[str, Field]:
    """From the computed (h_k, Z_{k+1}), as they are, by steps of 2⁻¹⁴ of their norms: a Jacobian that is off by more than that
    times the second derivatives shows, and the remainder, 2⁻²⁸ of them, stands out against rounding."""
    branch, random = run.branch, np.random.RandomState(0)
    h, z = run.hidden[..., :-1, :, :], np.broadcast_to(run.states["Z"][..., None, :], (*run.hidden[..., :-1, :, 0].shape, run.branch.p))
    dh, dz = (_STEP * euclid(v)[..., None] * _unit(random.standard_normal(v.shape)) for v in (h, z))
    moved = h + dh, z + dz
    dh, dz = moved[0] - h, moved[1] - z  # exact: the steps that were taken
    f, there = branch.value(h, z), branch.value(*moved)
    first = np.einsum("...ab,...b->...a", run.state_jacobian, dh) + np.einsum("...ap,...p->...a", run.parameter_jacobian, dz)
    a, b = run.bounds[:2]
    E, E1, E2 = run.evaluation
    sums, lengths = gamma(branch.q + branch.p + 4), (euclid(dh), euclid(dz))
    radius = E + branch.evaluation(*moved).value + 4 * U * (euclid(f) + euclid(there))
    radius = radius + (E1 + sums * a) * lengths[0] + (E2 + sums * b) * lengths[1]
    near = branch.suprema(*(np.maximum(euclid(v), euclid(w)) for v, w in zip((z, h), moved[::-1], strict=True)))
    own = gamma(64) + 2.0**-44
    constants = {"K11_near": near.state_second, "K21_near": near.mixed, "K22_near": near.second}
    return {
        "taylor_rest": size(euclid(there - f - first), radius, BTLN, a * lengths[0] + b * lengths[1]),
        "step_h": Field(lengths[0], 2.0**-45 * lengths[0], BTLN),
        "step_z": Field(lengths[1], 2.0**-45 * lengths[1], BTLN),
        **{name: Field(v, own * v, BTLN) for name, v in ((k, np.broadcast_to(v, a.shape)) for k, v in constants.items())},
    }


@measures("secant", "K1_all", on=GeneralRun)
def quotients(run: GeneralRun) -> Mapping[str, Field]:
    """From each hidden state to its double, and from (0, ..., 0, R) by 1/R in the first coordinate: where scores that are products differ
    by order 1. The branch is taken off its own rounding, the difference off one more."""
    branch, Z = run.branch, run.states["Z"]
    h, z = run.hidden[..., :-1, :, :], Z[..., None, :]
    far = np.array([np.append(np.zeros(branch.q - 1), R) for R in _FAR])
    step = np.array([np.eye(branch.q)[0] / R for R in _FAR])
    found = []
    for start, end in ((h, 2 * h), (far, far + step)):
        apart = euclid(end - start)
        ends = [branch.value(x, z) for x in (start, end)]
        error = sum(np.asarray(branch.evaluation(x, z).value + 2 * U * euclid(f)) for x, f in zip((start, end), ends, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            both = euclid(ends[1] - ends[0]) / apart, error / apart
        found.append([np.where(apart > 0, v, 0.0) for v in both])
    values, radius = (np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True))
    best = np.argmax(values - radius, axis=-1)[..., None]
    value, spread = (np.take_along_axis(v, best, axis=-1)[..., 0] for v in (values, radius))
    largest = np.broadcast_to(branch.bounds(np.ones(()), Z).state, Z.shape[:-1])
    return {"secant": size(value, spread, BTL), "K1_all": Field(largest, gamma(64) * largest, BTL)}


@measures("toy_reach", "toy_dot", "toy_l2", on=CounterexamplesRun)
def attention(run: CounterexamplesRun) -> Mapping[str, Field]:
    """Two tokens 0 and R of one number, all weights 1: dot-product attention by a complex step, which does not cancel, and
    L2 attention with the second token at 0, 1/8, ..., R."""
    R = run.depths.astype(float)
    x = np.stack([np.full(len(R), 1e-100j), R + 0j], axis=-1)  # [batch token]
    e = np.exp(x[:, :1] * x)
    slope = np.imag(np.sum(e * x, axis=1) / np.sum(e, axis=1)) / 1e-100
    branch, one = Attention(2, 1), np.ones(2)
    tokens = np.stack([np.zeros(8 * int(R[-1]) + 1), np.arange(8 * int(R[-1]) + 1) / 8], axis=-1)
    norms = np.linalg.norm(branch.state_jacobian(tokens, one), ord=2, axis=(-2, -1))
    norm = np.maximum.accumulate(norms)[8 * run.depths]
    error = np.maximum.accumulate(branch.evaluation(tokens, one).state_jacobian)[8 * run.depths]
    return {
        "toy_reach": Field(R, np.zeros(()), ("batch",)),
        "toy_dot": Field(slope, gamma(64) * slope, ("batch",)),
        "toy_l2": Field(norm, error + gamma(16) * norm, ("batch",)),
    }
