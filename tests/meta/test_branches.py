"""Branches of Section 4.3: a convolution and Lipschitz attention against other formulas, their constants under search, their rounding."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from depthlimit.conformance.faults.branches import DotProduct, WithoutSquare
from depthlimit.models.attention import Attention, averages, averages_jacobian, moment
from depthlimit.models.branches import Convolution, residual_branch
from depthlimit.models.corpus_branches import QUICK, STANDARD
from depthlimit.models.data import ArrayStore
from depthlimit.models.general import Branch, Perceptron
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.measure.branches import defined
from depthlimit.models.measure.extrapolate import romberg
from depthlimit.models.spec import Spec
from depthlimit.models.training_limit import limit, problem
from depthlimit.theory.quantity import Array

SIGMA = {"name": "tanh", "a": 1.5, "b": 0.5}
BRANCHES: tuple[Branch, ...] = (Convolution(3, 3, SIGMA), Convolution(5, 10, SIGMA), Attention(1, 2), Attention(2, 1), Attention(3, 2))
each = pytest.mark.parametrize("branch", BRANCHES, ids=lambda b: f"{type(b).__name__}-{b.q}-{b.p}")


def _point(branch: Branch, seed: int, *lead: int) -> tuple[Array, Array]:
    random = np.random.RandomState(seed)
    return random.standard_normal((*lead, branch.q)), random.standard_normal((*lead, branch.p))


@each
def test_jacobians_are_derivatives_and_the_pull_is_theirs(branch: Branch) -> None:
    """Central differences with step s are off by s²/6 |f'''| + u |f|/s, about 1e-9 here."""
    s, (h, z) = 1e-5, _point(branch, 0)
    by_h = [(branch.value(h + s * e, z) - branch.value(h - s * e, z)) / (2 * s) for e in np.eye(branch.q)]
    by_z = [(branch.value(h, z + s * e) - branch.value(h, z - s * e)) / (2 * s) for e in np.eye(branch.p)]
    np.testing.assert_allclose(branch.state_jacobian(h, z), np.transpose(by_h), atol=1e-8)
    np.testing.assert_allclose(branch.parameter_jacobian(h, z), np.transpose(by_z), atol=1e-8)
    assert not branch.value(np.zeros(branch.q), z).any()
    (h, _), (p, _), z = _point(branch, 1, 4, 2), _point(branch, 2, 4, 2), _point(branch, 3, 4, 1)[1]
    pulled = np.einsum("snqp,snq->sp", branch.parameter_jacobian(h, z), p)
    np.testing.assert_allclose(branch.pull(h, z, p), pulled, rtol=1e-12, atol=1e-12)


def test_the_convolution_is_model_3_with_circulant_weights() -> None:
    """Kernels on a ring: NumPy's convolution of the signal continued by one position on either side."""
    branch = Convolution(5, 10, SIGMA)
    h, z = _point(branch, 0)
    v, w = z.reshape(2, 2, 3)

    def ring(kernel: Array, signal: Array) -> Array:
        return np.correlate(np.concatenate([signal[-1:], signal, signal[:1]]), kernel, "valid")

    by_hand = sum(ring(v[c], 1.5 * np.tanh(0.5 * ring(w[c], h) / np.sqrt(5))) for c in range(2)) / np.sqrt(10)
    np.testing.assert_allclose(branch.value(h, z), by_hand, rtol=1e-13, atol=1e-14)
    V, W = branch.weights(z)
    dense = Perceptron(5, 10, SIGMA)
    np.testing.assert_array_equal(branch.value(h, z), dense.value(h, np.concatenate([V.ravel(), W.ravel()])))
    assert all(np.count_nonzero(a) == 3 * 10 for a in (V, W))  # of 50 entries each


@pytest.mark.parametrize("spec", [s for s in (*QUICK, *STANDARD) if s.regime.kind == "general-flow"], ids=lambda s: f"{s.q}-{s.m}")
def test_a_branch_is_what_its_source_writes(spec: Spec) -> None:
    branch = residual_branch(spec)
    h, z = _point(branch, 4)
    np.testing.assert_allclose(branch.value(h, z), defined(spec, h, z), rtol=1e-12, atol=1e-13)


# --- constants


def _derivatives(branch: Branch, h: Array, z: Array, u: Array, v: Array) -> list[float]:
    """Norms of ∂₁f, ∂₂f, ∂₂₂f·u, ∂₂₁f·v and ∂₁₁f·v for unit vectors u, v; the latter by differences, good to 1e-9."""
    s = 1e-5
    two = branch.parameter_jacobian(h, z + s * u) - branch.parameter_jacobian(h, z - s * u)
    mixed = branch.parameter_jacobian(h + s * v, z) - branch.parameter_jacobian(h - s * v, z)
    one = branch.state_jacobian(h + s * v, z) - branch.state_jacobian(h - s * v, z)
    first = branch.state_jacobian(h, z), branch.parameter_jacobian(h, z)
    return [float(np.linalg.norm(J, 2)) for J in (*first, *(J / (2 * s) for J in (two, mixed, one)))]


def _search(branch: Branch, M: float, H: float, steps: int) -> Array:
    """The five norms over the suprema, each after climbing from a random point of the compact by random steps that shrink and grow."""
    suprema = np.array([float(b) for b in branch.suprema(np.array(M), np.array(H))])
    sizes = [branch.q, branch.p, branch.p, branch.q]

    def put(x: Array) -> list[Array]:
        h, z, u, v = np.split(x, np.cumsum(sizes)[:-1])
        h, z = h * min(1, H / np.linalg.norm(h)), z * min(1, M / np.linalg.norm(z))
        return [h, z, u / np.linalg.norm(u), v / np.linalg.norm(v)]

    best = np.zeros(5)
    for which in range(5):
        random, width = np.random.RandomState(which), 1.0
        x = np.concatenate(put(random.standard_normal(sum(sizes)) * 2))
        value = 0.0
        for _ in range(steps):
            new = np.concatenate(put(x + width * random.standard_normal(len(x))))
            found = _derivatives(branch, *np.split(new, np.cumsum(sizes)[:-1])) / suprema
            assert found.max() <= 1 + 1e-6, found
            best = np.maximum(best, found)
            x, value, width = (new, found[which], width * 1.5) if found[which] > value else (x, value, max(0.9 * width, 1e-3))
    return best


@pytest.mark.parametrize(
    ("branch", "M", "H", "floors"),
    [
        pytest.param(Convolution(3, 3, {"name": "tanh", "a": 1.0, "b": 1.0}), 1.0, 1.0, (0.7, 0.8, 0.6, 0.6, 0.3), id="convolution"),
        pytest.param(Attention(2, 1), 3.0, 1.0, (0.6, 0.5, 0.07, 0.04, 0.06), id="two tokens"),
        pytest.param(Attention(3, 1), 3.0, 2.0, (0.4, 0.4, 0.01, 0.01, 0.03), id="three tokens"),
    ],
)
def test_a_search_comes_near_the_suprema_and_never_passes_them(branch: Branch, M: float, H: float, floors: tuple[float, ...]) -> None:
    assert (_search(branch, M, H, 40) >= floors).all()


def test_the_suprema_of_the_convolution_are_attained_by_constant_kernels() -> None:
    """v = w = M/√6 (1, 1, 1) at the state 0 for K₁; v alone at a constant state, so small that σ is linear, for K₂."""
    branch, M, H = Convolution(4, 4, SIGMA), 2.0, 1e-5
    exact = branch.suprema(np.array(M), np.array(H))
    z = np.full(6, M / np.sqrt(6))
    assert np.linalg.norm(branch.state_jacobian(np.zeros(4), z), 2) == pytest.approx(float(exact.state), rel=1e-12)
    assert np.linalg.norm(branch.parameter_jacobian(np.full(4, H / 2), z), 2) == pytest.approx(float(exact.parameter), rel=1e-8)


def test_moments_of_softmax_weights_are_largest_where_all_tokens_but_one_are_equally_far() -> None:
    """μ_β against the family with one common length, by dense search, and against random tokens; ρe^{ρ+1} = N - 1 (Kim et al., 2021)."""
    s = np.linspace(0, 12, 200001)
    random = np.random.RandomState(0)
    for N in (1, 2, 3, 7):
        rho = moment(1, N)
        assert rho * np.exp(rho + 1) == pytest.approx(N - 1, rel=1e-12, abs=1e-15)
        for beta in (1, 1.5, 2):
            common = (N - 1) * s**beta * np.exp(-s) / (1 + (N - 1) * np.exp(-s))
            assert common.max() == pytest.approx(moment(beta, N), rel=1e-7, abs=1e-15)
            assert common.max() <= moment(beta, N)
            lengths = np.append(random.exponential(2.0, (1000, N - 1)), np.zeros((1000, 1)), axis=1)
            e = np.exp(-lengths)
            assert (np.sum(e * lengths**beta, axis=1) / np.sum(e, axis=1)).max() <= moment(beta, N)


def test_centring_multiplies_a_third_moment_by_less_than_four_thirds() -> None:
    """E|X - EX|³ - c E|X|³ is linear in the distribution: with EX given, its extreme points have two values, 0 <= x <= 1 the mass of one.
    The best ratio of the values is put in."""
    x = np.linspace(0, 0.5, 100001)
    assert 1.31 < ((x**2 + (1 - x) ** 2) * (np.sqrt(x) + np.sqrt(1 - x)) ** 2).max() < 4 / 3
    random = np.random.RandomState(0)
    for _ in range(1000):
        p, X = random.dirichlet([0.3] * 4), random.standard_normal(4) ** 3
        assert p @ np.abs(X - p @ X) ** 3 <= 4 / 3 * (p @ np.abs(X) ** 3)


def test_the_constant_of_attention_is_below_that_of_kim_et_al() -> None:
    """Theorem 3.2 of Kim et al. (2021) with one head: √N (4ρ + 1)|W|²|V|/√D, for every N."""
    for N in (2, 3, 10, 1000):
        assert Attention(N, 1).constants[1] < np.sqrt(N) * (4 * moment(1, N) + 1)


def test_two_tokens_of_one_number_need_two_thirds_of_the_constant() -> None:
    """G has eigenvalues 1 and 1 - 2g', g = ae^{-a²}/(1 + e^{-a²}), a the distance; the largest |D²G| is √8 max|g''|."""
    a = np.linspace(0, 5, 50001)
    g = a * np.exp(-(a**2)) / (1 + np.exp(-(a**2)))
    slope, bend = np.gradient(g, a), np.gradient(np.gradient(g, a), a)[2:-2]
    _, g1, g2 = Attention(2, 1).constants
    assert (1 - 2 * slope).max() / g1 == pytest.approx(0.685, abs=1e-3)
    assert np.sqrt(8) * np.abs(bend).max() / g2 == pytest.approx(0.277, abs=2e-3)
    J = averages_jacobian(np.array([[0.0], [1.39]])).reshape(2, 2)
    assert np.linalg.eigvalsh((J + J.T) / 2)[1] == pytest.approx((1 - 2 * slope)[13900], abs=1e-6)


def test_attention_without_what_makes_it_lipschitz_is_not() -> None:
    """The quotient from (0, R) by 1/R in the first token grows without bound for dot products, and from tokens that the scores do not
    tell apart if the square in front of the values is missing; that of L2 attention stays below its constant."""
    one, z = np.array([1.0, 0.0]), np.ones(2)
    for R in (10.0, 100.0, 1000.0):
        h = np.array([0.0, R])
        quotients = [np.linalg.norm(b.value(h + one / R, z) - b.value(h, z)) * R for b in (kind(2, 1) for kind in (DotProduct, Attention))]
        assert quotients[0] > R**2 / 5
        assert quotients[1] <= float(Attention(2, 1).suprema(np.sqrt(np.array(2.0)), np.array(1.0)).state)
        W, V = np.diag([1.0, 0.0]), np.eye(2)
        plane, step = np.array([0.0, 0.0, 0.5, R]), np.array([1e-6, 0.0, 0.0, 0.0])
        z2 = np.concatenate([W.ravel(), V.ravel()])
        slopes = [np.linalg.norm(b.value(plane + step, z2) - b.value(plane, z2)) / 1e-6 for b in (WithoutSquare(2, 2), Attention(2, 2))]
        assert slopes[0] > R / 10
        assert slopes[1] <= float(Attention(2, 2).bounds(np.ones(()), z2).state)


# --- rounding


def _exactly(branch: Any, h: Any, z: Any) -> tuple[Any, Any, Any]:
    """f, ∂₁f, ∂₂f of attention or a convolution in mpmath, from the definitions; h and z are arrays of mpf."""

    def f(h: Any, z: Any) -> Any:
        if isinstance(branch, Convolution):
            q, m = branch.q, branch.m
            v, w = z.reshape(2, m // q, 3)
            out = np.array([mpmath.mpf(0)] * q)
            for c in range(m // q):
                u = [sum(w[c, j] * h[(i + j - 1) % q] for j in range(3)) / mpmath.sqrt(q) for i in range(q)]
                S = [mpmath.mpf(1.5) * mpmath.tanh(x / 2) for x in u]
                out = out + np.array([sum(v[c, j] * S[(i + j - 1) % q] for j in range(3)) for i in range(q)]) / mpmath.sqrt(m)
            return out
        X, D = h.reshape(branch.tokens, branch.size), branch.size
        W, V = z.reshape(2, D, D)
        Y = X @ W
        rows = []
        for i in range(branch.tokens):
            e = [mpmath.exp(-np.sum((Y[i] - y) ** 2) / mpmath.sqrt(D)) for y in Y]
            rows.append(sum((w * x for w, x in zip(e, X, strict=True)), 0 * X[0]) / sum(e))
        return (np.array(rows) @ W @ W.T @ V / mpmath.sqrt(D)).ravel()

    def derivative(g: Any, x: Any) -> Any:
        s = mpmath.mpf(10) ** -20  # at 70 digits: central differences are good to 1e-40
        return np.array([(g(x + s * e) - g(x - s * e)) / (2 * s) for e in np.eye(len(x)).astype(int).astype(object)]).T

    return f(h, z), derivative(lambda x: f(x, z), h), derivative(lambda x: f(h, x), z)


@pytest.mark.parametrize("branch", [Convolution(3, 3, SIGMA), Attention(2, 1), Attention(3, 2)], ids=lambda b: f"{type(b).__name__}-{b.q}")
def test_evaluations_lie_within_their_radii(branch: Branch) -> None:
    """Against 70-digit arithmetic, at states small and large."""
    exact = np.vectorize(mpmath.mpf, otypes=[object])
    for scale in (1e-3, 1.0, 30.0):
        h, z = _point(branch, 5)
        h = scale * h
        with mpmath.workdps(70):
            errors = [
                float(np.sqrt(np.sum((ours - theirs).astype(float) ** 2)))
                for ours, theirs in zip(
                    (branch.value(h, z), branch.state_jacobian(h, z), branch.parameter_jacobian(h, z)),
                    _exactly(branch, exact(h), exact(z)),
                    strict=True,
                )
            ]
        assert all(e <= radius for e, radius in zip(errors, branch.evaluation(h, z), strict=True)), (errors, scale)


def test_averages_are_translated_with_their_tokens() -> None:
    Y = np.random.RandomState(0).standard_normal((3, 2))
    np.testing.assert_allclose(averages(Y + 7.0), averages(Y) + 7.0, rtol=1e-14)
    J = averages_jacobian(Y)
    np.testing.assert_allclose(J.sum(axis=2), np.broadcast_to(np.eye(2), (3, 2, 2)), atol=1e-14)


def test_sizes_of_branches_are_checked() -> None:
    flow: dict[str, Any] = {"d": 1, "dout": 1, "q": 4, "m": 3, "L": 2, "n": 1, "init": {"kind": "affine"}}
    for kind, message in (("convolution", "m a multiple of q, got q=4, m=3"), ("attention", "m tokens of q/m numbers, got q=4, m=3")):
        with pytest.raises(ValueError, match=message):
            Spec.model_validate({"regime": {"kind": "general-flow", "residual": kind}, **flow})


# --- training in the limit of large depth


def test_networks_of_attention_extrapolated_in_depth_agree_with_the_limit_of_training() -> None:
    """Theorem 14 (ii) at s = k/6: each step of Richardson's extrapolation from L = 6, 12, 24 gains about a factor L."""
    spec = Spec.model_validate(
        {
            "regime": {"kind": "general-flow", "residual": "attention"},
            **{"d": 2, "dout": 1, "q": 2, "m": 2, "L": 12, "n": 1, "T": 0.1, "rtol": 1e-10, "times": (0.0, 0.1)},
            "init": {"kind": "affine", "scale": 0.5, "slope": 0.3},
        }
    )
    solved = limit(problem(spec, ArrayStore()), np.array(spec.times), start=8)
    assert max(float(solved.error(k).max()) for k in "ABZH") < 1e-9
    there, values = solved.solution.weights(np.arange(1, 7) / 6)[-1], []
    for L in (6, 12, 24):
        run = GeneralRun(spec.model_copy(update={"L": L}), ArrayStore())
        values.append(run.flow["Z"][0, -1, L // 6 - 1 :: L // 6])
    errors = [float(np.abs(column[-1] - there).max()) for column in romberg(np.stack(values))]
    assert errors[1] < errors[0] / 50, errors
    assert errors[2] < min(errors[1] / 10, 1e-7), errors
