"""The proof of Theorem 14 on paper and pencil: closed forms, index maps in integers, and what its differences rest on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import expm

from depthlimit.conformance.faults import SPECS
from depthlimit.models.check import check, run
from depthlimit.models.corpus_limit_map import STANDARD
from depthlimit.models.data import ArrayStore
from depthlimit.models.limit_map import LimitMapRun, pieces, state_at
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import BadInput, Spec

S = np.linspace(0, 1, 5)
CONSTANT = Spec.model_validate(
    {
        **SPECS["map-plane"].to_json(),
        "init": {
            "kind": "arrays",
            "arrays": {
                "inline": [
                    ["A", [3, 2], [1.0, 0.0, 0.5, -1.0, 0.0, 2.0]],
                    ["Z0", [9], [0.1, -0.7, 0.0, 0.4, 0.2, 0.3, 0.0, 0.6, -0.5]],
                    ["Z1", [9], [0.0] * 9],
                    ["B", [2, 3], [1.0, 0.0, 1.0, 0.0, -1.0, 0.5]],
                ]
            },
        },
    }
)


@pytest.fixture(scope="module")
def constant() -> LimitMapRun:
    """f = Zh with a constant Z that is not symmetric."""
    return LimitMapRun(CONSTANT, ArrayStore())


def test_states_and_adjoints_of_a_constant_matrix_are_exponentials(constant: LimitMapRun) -> None:
    here, (fine, _) = constant.here, constant.solutions[0]
    Z = here.Z0.reshape(3, 3)
    H = np.stack([constant.x @ (expm(s * Z) @ here.A).T for s in S])
    np.testing.assert_allclose(fine.hidden(S), H, atol=1e-13)
    end = 2 * (H[-1] @ here.B.T - constant.y) @ here.B
    P = np.stack([end @ expm((1 - s) * Z) for s in S])  # rows are samples: (e^{(1-s)Zᵀ} p)ᵀ
    np.testing.assert_allclose(fine.adjoint(S), P, atol=1e-12)
    np.testing.assert_allclose(fine.gradient(S), P, atol=1e-12)
    printed = np.stack([end @ expm(-(1 - s) * Z).T for s in S])
    np.testing.assert_allclose(fine.adjoint(S, printed=True), printed, atol=1e-12)
    assert np.max(np.abs(P - printed)) > 1


def test_the_slope_of_the_loss_is_that_of_differences(constant: LimitMapRun) -> None:
    shift = constant.there - constant.here

    def loss(e: float) -> float:
        A, B, Z = (getattr(constant.here, k) + e * getattr(shift, k) for k in ("A", "B", "Z0"))
        residual = constant.x @ (B @ expm(Z.reshape(3, 3)) @ A).T - constant.y
        return float(np.sum(residual**2)) / len(residual)

    constant_shift = type(shift)(shift.A, shift.B, shift.Z0, 0 * shift.Z1)
    rough, fine = ((loss(e) - loss(-e)) / (2 * e) for e in (2e-3, 1e-3))
    assert constant.solutions[0][0].slope(constant_shift) == pytest.approx((4 * fine - rough) / 3, rel=1e-9)


@pytest.mark.parametrize("L", [1, 2, 3, 7, 12])
def test_index_maps_at_the_ends_of_their_pieces_and_inside(L: int) -> None:
    """⌊(L-1)s⌋ + 1 is in 1..L, within 1 of Ls, and 0 or 1 above ⌊Ls⌋; at s = 1 both are L."""
    for piece in pieces(L):
        k = piece.below + 1
        assert 1 <= k <= L and k - piece.floor in (0, 1) and abs(k - L * piece.s) <= 1 + 1e-12
    assert (pieces(L)[-1].below, pieces(L)[-1].floor) == (L - 1, L) and (pieces(L)[0].below, pieces(L)[0].floor) == (0, 0)
    for s in (Fraction(i, 60) for i in range(61)):
        below, floor = (L - 1) * s // 1, L * s // 1
        assert any((p.below, p.floor) == (below, floor) and abs(p.s - s) <= 1 / max(L - 1, 1) for p in pieces(L))


@pytest.mark.parametrize("L", [1, 2, 3, 49, 100])
def test_h_and_p_are_read_where_37_has_them(L: int) -> None:
    """H^L(⌊(L-1)s⌋/L) = h_{⌊(L-1)s⌋} and P^L((⌊(L-1)s⌋+1)/L) = p_{⌊(L-1)s⌋+1} in rationals; floats read another state for L = 49."""
    for j in range(L):
        assert state_at(Fraction(j, L), L) == j and state_at(Fraction(j + 1, L), L) == j + 1
    assert L != 49 or int(49 * (1 / 49)) == 0


def test_networks_tend_to_the_continuous_ones_at_order_one(constant: LimitMapRun) -> None:
    gaps = []
    for L in (32, 64):
        deep = Fields(LimitMapRun(CONSTANT.model_copy(update={"L": L}), ArrayStore()))
        gaps.append([float(np.max(deep[name].values)) for name in ("h_gap_s", "p_gap_s", "velocity_gap_37", "p_gap_printed")])
    rate = np.array(gaps[0]) / np.array(gaps[1])
    assert np.all(np.abs(rate[:3] - 2) < 0.1) and rate[3] < 1.01 and gaps[1][3] > 10 * gaps[1][1]


def test_corollary_12_applies_to_the_recurrence_read_downwards() -> None:
    """u_k = p_{L-k} turns (13) into (32) with θ_{k+1} = (h_{L-k-1}, Z_{L-k}), whose limit Θ(s) is (H(1-s), Z(1-s)), and P' = -U'."""
    k, L, s, J = sp.symbols("k L s J")
    layer, theta = L - k - 1, k + 1  # (13) at this layer gives p_layer = u_{k+1} from p_{layer+1} = u_k
    assert sp.expand(layer - (L - theta)) == 0 and sp.expand(layer + 1 - (L - theta + 1)) == 0
    assert sp.limit((L - s * L) / L, L, sp.oo) == 1 - s
    P = sp.exp(J * (1 - s))  # U' = JU, U(0) = 1, at 1 - s
    assert sp.expand(sp.diff(P, s) + J * P) == 0


def test_a_subsequence_read_as_it_is_printed_has_another_limit() -> None:
    """L steps of 1/L with the first L parameters of a network of φ(L) = L² layers, 𝒵(s) = s, against its own φ(L) steps."""
    for L in (40, 80):
        k = np.arange(1, L**2 + 1) / L**2
        assert abs(np.prod(1 + k[:L] / L) - 1) < 1 / L
        assert abs(np.prod(1 + k / L**2) - np.exp(0.5)) < 1 / L


@pytest.mark.parametrize(("sign", "transposed", "constant"), [(-1, True, True), (1, False, False), (1, True, False), (-1, False, False)])
def test_only_the_corrected_backward_equation_conserves_the_pairing(sign: int, transposed: bool, constant: bool) -> None:
    """d/ds <P, Φ> = <P', Φ> + <P, ∂₁f Φ> vanishes for P' = -∂₁fᵀP and no other of the four."""
    J = sp.Matrix(2, 2, sp.symbols("a b c d"))
    P, Phi = sp.Matrix(sp.symbols("p1 p2")), sp.Matrix(sp.symbols("f1 f2"))
    slope = ((sign * (J.T if transposed else J) * P).T * Phi + P.T * (J * Phi))[0]
    assert (sp.expand(slope) == 0) is constant
    if (sign, transposed) == (1, False):
        assert sp.expand(slope - (P.T * (J + J.T) * Phi)[0]) == 0


def test_the_printed_backward_equation_of_a_scalar_has_another_limit() -> None:
    z, L, s, k = sp.symbols("z L s k", positive=True)
    p = (1 + z / L) ** (L - k)  # (13) for f = zh from p_L = 1
    assert sp.simplify(sp.limit(p.subs(k, s * L), L, sp.oo) - sp.exp(z * (1 - s))) == 0
    for sign, right in ((-1, True), (1, False)):
        solution = sp.exp(sign * z * (s - 1))
        assert sp.simplify(sp.diff(solution, s) - sign * z * solution) == 0 and solution.subs(s, 1) == 1
        assert (sp.simplify(solution - sp.exp(z * (1 - s))) == 0) is right


@pytest.mark.parametrize("spec", STANDARD, ids=lambda spec: spec.regime.residual)
def test_the_lines_hold_for_convolutions_and_attention(spec: Spec) -> None:
    records, _ = check(spec, NumpyImplementation())
    verdicts = {r["claim"]: r["verdict"] for r in records if r["edition"] != "as-printed" or r["claim"] not in ("a5.eq44", "a5.adjoint")}
    assert verdicts.pop("a5.path") == "out-of-hypothesis" and set(verdicts.values()) == {"holds"}


def test_radii_cover_twice_as_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Fields(run(SPECS["map-perceptron"], NumpyImplementation()))
    monkeypatch.setattr("depthlimit.models.limit_map.POINTS", 80)
    finer = Fields(run(SPECS["map-perceptron"], NumpyImplementation()))
    for name in (
        "H_picard",
        "P_solved",
        "P_forward",
        "map_apart",
        "loss_inner_Z",
        "loss_slope_Z",
        "h_gap_s",
        "velocity_gap_37",
        "H_integral",
    ):
        one, other = usual[name], finer[name]
        distance = np.abs(one.values - other.values)
        assert np.all((np.sqrt(np.sum(distance**2, axis=-1)) if one.vector else distance) <= one.radius), name


def test_a_shift_of_other_shapes_is_refused() -> None:
    spec = SPECS["map-states"].to_json()
    spec["regime"]["shift"]["inline"][0] = ["A", [2, 1], [0.0, 0.0]]
    with pytest.raises(BadInput, match=r"regime\.shift"):
        LimitMapRun(Spec.model_validate(spec), ArrayStore())
