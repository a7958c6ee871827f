"""How near to equality bounds can come: what their notes say about the nearest instance, and constants said to be suprema."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy import stats

from depthlimit.models.corpus import DRIFTING, GROWING, LOCAL_PL
from depthlimit.models.data import ArrayStore
from depthlimit.models.general import Perceptron
from depthlimit.models.measure.certificate import CertificateRun
from depthlimit.models.measure.euler import EulerRun, polynomial_supremum
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.theory.paper import lemma20, prop2
from depthlimit.theory.registry import claims

SIZES = np.arange(1, 2001)


@pytest.mark.parametrize(("level", "nearest"), [(2.0, 0.168), (4.0, 0.055)])
def test_one_gaussian_number_comes_nearest_to_the_printed_bound_of_lemma_20(level: float, nearest: float) -> None:
    attained = stats.chi2.sf(level * SIZES, SIZES) * np.exp((level - 1) * SIZES / 16)
    assert np.argmax(attained) == 0 and nearest - 0.001 < attained[0] < nearest
    higher = stats.chi2.sf(np.linspace(level, 16, 100), 1) * np.exp((np.linspace(level, 16, 100) - 1) / 16)
    assert np.argmax(higher) == 0


def test_402_is_the_first_size_at_which_the_printed_bound_fails_below_its_level() -> None:
    fails = stats.chi2.sf(1.1 * SIZES, SIZES) > np.exp(-0.1 * SIZES / 16)
    assert SIZES[fails].tolist() == list(range(402, 2001))


@pytest.mark.parametrize("level", [1.0, 1.1, 2.0, 4.0, 9.0])
def test_the_prefactor_of_the_tail_is_an_upper_bound_at_every_size_and_exact_in_the_limit(level: float) -> None:
    (claim,) = claims("lemma20.prefactor")
    bound = sp.lambdify((lemma20.N, lemma20.a), claim.rhs, modules=["numpy", {"Max": np.maximum}])
    sizes = SIZES[:200].astype(float)
    attained = stats.chi2.sf(level * sizes, sizes) / bound(sizes, level)
    assert np.all(attained <= 1 + 1e-12)
    assert level < 2 or attained[-1] > 0.98


def test_a_growing_state_attains_half_of_the_curvature_and_a_little_less_than_1_over_2e_of_the_printed_constants() -> None:
    """U' = cU: L |e^c - (1 + c/L)^L| increases to c² e^c/2 = C̃/2, and (35) has C̃/C e^C with C = c."""
    c = 1.0
    errors = [L * (np.exp(c) - (1 + c / L) ** L) for L in (1, 4, 64, 4096)]
    half = c**2 * np.exp(c) / 2
    assert errors == sorted(errors) and 0.999 * half < errors[-1] < half
    assert half / (c**2 * np.exp(c) / c * np.exp(c)) == pytest.approx(1 / (2 * np.e))
    C, ratio = prop2.C, prop2.SHARP["a-priori"] / (prop2.Ct / prop2.C * sp.exp(prop2.C))
    (largest,) = sp.solve(sp.diff(ratio, C), C)
    assert largest == 1 and ratio.subs(C, 1) == sp.exp(-1) / 2


@pytest.mark.parametrize(("spec", "inputs"), [(GROWING, "a-priori"), (DRIFTING, "along-trajectory")])
def test_the_instances_of_proposition_2_are_within_five_per_cent_of_equality(spec: object, inputs: str) -> None:
    run = EulerRun(spec, ArrayStore(), NumpyImplementation())  # type: ignore[arg-type]
    v, w = (polynomial_supremum(run.weights[k], "operator")[0] for k in "VW")
    change = {k: 2 * np.polynomial.chebyshev.chebder(run.weights[k]) for k in "VW"}
    c_theta = polynomial_supremum(np.concatenate([change["V"], change["W"]], axis=2), "frobenius")[0]
    x = abs(float(run.batch.x[0, 0] * run.weights["A"][0, 0]))
    C1 = v * w
    D = x * np.exp(C1) if inputs == "a-priori" else max(np.abs(run.ode["hidden"]).max(), run.networks[3])
    half = (C1**2 * D + np.hypot(v, w) * D * c_theta) / 2
    growth = 1.0 if inputs == "a-priori" else np.expm1(C1) / C1
    attained = float(run.depths[-1]) * run.networks[0][-1] / (abs(float(run.weights["B"][0, 0])) * half * growth)
    assert 0.95 < attained < 1


def test_the_pushed_point_of_a_certificate_is_in_its_ball_and_changes_more_than_random_ones() -> None:
    run = CertificateRun(LOCAL_PL[0], ArrayStore(), NumpyImplementation())
    for block, states in run.ball.states.items():
        moved = states[-1, 0] - run.batch.params[block]
        sizes = np.sqrt(np.sum(moved**2, axis=(-2, -1)))
        assert sizes == pytest.approx(run.certificate.radii[f"R_{block}"], rel=1e-8)
    fields = Fields(run)
    for name in ("ball_h_drift", "ball_drift"):
        largest = fields[name].values.max(axis=1)
        assert largest[-1] > 2 * largest[:-1].max()


# --- constants that are said to be suprema


@pytest.mark.parametrize("name", ["tanh", "sin", "erf", "gelu"])
def test_the_perceptron_attains_the_first_constant_and_the_second_where_its_slope_is_largest_at_0(name: str) -> None:
    q, m, M, H = 3, 2, 0.8, 1.7
    branch = Perceptron(q, m, {"name": name, "a": 1.0, "b": 1.0})
    suprema = branch.suprema(np.asarray(M), np.asarray(H))

    def at(V: float, W: float, h: float) -> tuple[float, float]:
        z = np.zeros(branch.p)
        z[0], z[q * m] = V, W
        state = np.array([h, 0.0, 0.0])
        return tuple(float(np.linalg.norm(J(state, z), 2)) for J in (branch.state_jacobian, branch.parameter_jacobian))  # type: ignore[return-value]

    along = [at(M / np.sqrt(2), M / np.sqrt(2), h)[0] for h in np.linspace(-12, 12, 2401)]
    assert suprema.state * (1 - 1e-5) < max(along) <= suprema.state * (1 + 1e-12)
    second = at(M, 0.0, H)[1]
    assert second <= suprema.parameter * (1 + 1e-12)
    assert (second > suprema.parameter * (1 - 1e-12)) == (name != "gelu")
