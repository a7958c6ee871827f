"""Initialisations, sampled data and the array store do what their docstrings say."""

from __future__ import annotations

import itertools
import math
import zipfile
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from depthlimit.models.data import ArrayStore, digest, inputs, read_npz
from depthlimit.models.initialisation import (
    GP_TERMS,
    chebyshev_weights,
    evaluate_weights,
    lipschitz,
    parameters,
    smooth_function,
)
from depthlimit.models.spec import ArraySet, BadInput, Spec
from depthlimit.theory.quantity import Array

U = 2.0**-53
SMOOTH = ({"kind": "paper"}, {"kind": "gp"}, {"kind": "fourier", "terms": 3})


def spec(**changes: Any) -> Spec:
    sizes = {"d": 2, "dout": 1, "q": 3, "m": 4, "L": 6, "n": 5}
    return Spec.model_validate({"regime": {"kind": "plain-flow"}, **sizes, **changes})


STORE = ArrayStore()


# ------------------------------------------------------------------------------------- initialisation


@pytest.mark.parametrize("init", [*SMOOTH, {"kind": "iid"}], ids=lambda init: init["kind"])
def test_shapes_dtype_and_the_outer_matrices_of_section_3(init: dict[str, Any]) -> None:
    p = parameters(spec(init=init), 6, STORE)
    assert {name: a.shape for name, a in p.items()} == {
        "A": (3, 2),
        "V": (6, 3, 4),
        "W": (6, 4, 3),
        "B": (1, 3),
    }
    assert all(a.dtype == np.float64 and a.flags.c_contiguous and a.flags.writeable for a in p.values())
    assert p["A"].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert p["B"].tolist() == [[0, 0, 1]]


def test_the_paper_ties_gaussian_w_and_starts_with_v_zero() -> None:
    p = parameters(spec(init={"kind": "paper", "seed": 7}), 6, STORE)
    assert not p["V"].any()
    W = np.random.RandomState(7).standard_normal((4, 3))
    assert all(np.array_equal(layer, W) for layer in p["W"])


@pytest.mark.parametrize("kind", ["gp", "fourier", "iid"])
def test_every_kind_draws_the_papers_w_first_and_v_last(kind: str) -> None:
    terms = {"gp": GP_TERMS, "fourier": 4, "iid": 6}[kind]
    numbers = np.random.RandomState(3).standard_normal(2 * terms * 12)
    s = spec(init={"kind": kind, "seed": 3})
    if kind == "iid":
        p = parameters(s, 6, STORE)
        W, V = p["W"], p["V"]
    else:
        f = smooth_function(s, STORE)
        W, V = f.W, f.V
    assert np.array_equal(W.ravel(), numbers[: terms * 12])
    assert np.array_equal(V.ravel(), numbers[terms * 12 :])


@pytest.mark.parametrize("init", SMOOTH, ids=lambda init: init["kind"])
@pytest.mark.parametrize("L", [1, 3, 8, 50])
def test_layers_are_values_of_one_function_to_the_last_bit(init: dict[str, Any], L: int) -> None:
    s = spec(init=init)
    p, deeper = parameters(s, L, STORE), parameters(s, 4 * L, STORE)
    V, W = smooth_function(s, STORE)(np.arange(1, L + 1) / L)
    for k in range(L):
        assert np.array_equal(p["V"][k], V[k]) and np.array_equal(p["W"][k], W[k])
        assert np.array_equal(p["V"][k], deeper["V"][4 * k + 3])
        assert np.array_equal(p["W"][k], deeper["W"][4 * k + 3])


@pytest.mark.parametrize("kind", ["paper", "gp", "fourier", "iid"])
def test_a_seed_decides_every_number(kind: str) -> None:
    first, again, other = (parameters(spec(init={"kind": kind, "seed": seed}), 6, STORE)["W"] for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.isclose(first, other).any()


@pytest.mark.parametrize(("length", "scale"), [(0.2, 1.0), (0.35, 3.0), (1.0, 0.5), (10.0, 1.0)])
def test_the_gaussian_process_has_the_kernel_of_section_4_3(length: float, scale: float) -> None:
    """An entry is Σ_j f_j(s) ξ_j, ξ_j independent standard, so its covariance is Σ_j f_j(s) f_j(s').

    Truncation 2e-19. f_j has relative error below (3 j + 8) u (j products, divisions, roots; 8 for u, exp): a
    product of two (6 j + 17) u; as Σ_j j f_j² <= 6.25 scale² and sums add 40 u: (38 + 17 + 40) u.
    """
    f = smooth_function(spec(init={"kind": "gp", "length": length, "scale": scale}), STORE)
    s = np.linspace(0, 1, 101)
    factors = f.factors(s)
    kernel = scale**2 * np.exp(-((s[:, None] - s) ** 2) / (2 * length**2))
    # The argument of the exponential is at most 12.5, so the kernel above is within (4 * 12.5 + 4) u too.
    assert np.abs(factors @ factors.T - kernel).max() <= (95 + 54) * U * scale**2


def test_the_gaussian_process_entries_have_the_kernel_as_sample_covariance() -> None:
    s = np.array([0.0, 0.3, 1.0])
    big = spec(q=60, m=60, init={"kind": "gp", "length": 0.5, "seed": 1})
    for values in smooth_function(big, STORE)(s):
        sample = np.einsum("iqm,jqm->ij", values, values) / 3600
        # A mean of N = 3600 products of two standard Gaussians has deviation at most √(2/N); five of them.
        assert np.abs(sample - np.exp(-((s[:, None] - s) ** 2) / 0.5)).max() < 5 * math.sqrt(2 / 3600)


def test_fourier_is_the_sum_of_its_docstring() -> None:
    f = smooth_function(spec(init={"kind": "fourier", "terms": 2, "scale": 3.0, "seed": 2}), STORE)
    random = np.random.RandomState(2)
    drawn = {"W": random.standard_normal((2, 2, 4, 3)), "V": random.standard_normal((2, 2, 3, 4))}
    s = 0.37
    for name, value in zip("VW", f(np.array([s])), strict=True):
        want = sum(
            3.0 * (a * math.cos(math.pi * r * s) + b * math.sin(math.pi * r * s)) / r for r, (a, b) in enumerate(drawn[name], start=1)
        )
        # 4 terms of size at most 3 |α| (or β), each with fewer than 16 roundings.
        assert np.abs(value[0] - want).max() <= 4 * 16 * U * 3 * np.abs(drawn[name]).max()


@given(
    seed=st.integers(0, 2**32 - 1),
    terms=st.integers(1, 6),
    scale=st.floats(0.01, 10),
    steps=st.sampled_from([2, 16, 200]),
)
def test_fourier_never_moves_faster_than_its_lipschitz_bound(seed: int, terms: int, scale: float, steps: int) -> None:
    s = spec(init={"kind": "fourier", "terms": terms, "scale": scale, "seed": seed})
    t = np.linspace(0, 1, steps + 1)
    f = smooth_function(s, STORE)
    sizes = [sum(float(np.linalg.norm(c)) for c in matrices) for matrices in (f.V, f.W)]
    for value, bound, size in zip(f(t), lipschitz(s), sizes, strict=True):
        moved = np.linalg.norm(np.diff(value, axis=0), axis=(1, 2))
        # Angles π r s below 20 carry 2 * 20 u, cos, sin and the 12-term sum 20 u more, at both ends.
        assert (moved <= bound * np.diff(t) + 2 * 60 * U * scale * size).all()


def test_the_lipschitz_bound_is_attained_by_a_single_frequency() -> None:
    s = spec(init={"kind": "fourier", "terms": 1, "seed": 4})
    t = np.linspace(0, 1, 2001)
    for value, bound in zip(smooth_function(s, STORE)(t), lipschitz(s), strict=True):
        speed = np.linalg.norm(np.diff(value, axis=0), axis=(1, 2)) / np.diff(t)
        # θ = πs runs over a half-turn, which meets the maximising angle up to sign; a chord loses at most
        # (1 - sin(π h)/(π h)) + (1 - cos(π h)) < (π h)² of it, h = 1/2000.
        assert speed.max() >= bound * (1 - (math.pi / 2000) ** 2)


@pytest.mark.parametrize("seed", range(10))
def test_the_lipschitz_bound_is_rounded_upwards(seed: int) -> None:
    """Against 50 digits; what is added is at most twice what the rounding of the sums may need."""
    s = spec(init={"kind": "fourier", "terms": 3, "scale": 0.7, "seed": seed})
    f = smooth_function(s, STORE)
    for matrices, bound in zip((f.V, f.W), lipschitz(s), strict=True):
        with mpmath.workdps(50):
            exact = mpmath.mpf(0)
            for alpha, beta in zip(matrices[0::2], matrices[1::2], strict=True):
                pair = [[mpmath.mpf(float(v)) for v in a.ravel()] for a in (alpha, beta)]
                aa, bb, ab = (mpmath.fdot(pair[i], pair[j]) for i, j in ((0, 0), (1, 1), (0, 1)))
                exact += mpmath.sqrt((aa + bb + mpmath.hypot(aa - bb, 2 * ab)) / 2)
            exact *= mpmath.mpf(0.7) * mpmath.pi
            assert exact <= bound <= exact * (1 + 4 * (12 + 32) * U)


def test_the_lipschitz_constant_of_the_papers_constant_functions_is_zero() -> None:
    assert lipschitz(spec()) == (0.0, 0.0)


def test_iid_layers_are_independent_and_standard() -> None:
    p = parameters(spec(q=20, m=20, init={"kind": "iid", "seed": 1}), 50, STORE)
    for a in (p["V"], p["W"]):
        N = a.size
        assert abs(a.mean()) < 5 / math.sqrt(N)  # five standard deviations of each statistic
        assert abs(a.var() - 1) < 5 * math.sqrt(2 / N)
        assert abs((a[1:] * a[:-1]).mean()) < 5 / math.sqrt(N - 400)


@pytest.mark.parametrize("init", [{"kind": "iid"}], ids=["iid"])
def test_what_is_no_function_of_depth_is_refused_by_kind(init: dict[str, Any]) -> None:
    s = spec(init=init)
    for call in (
        lambda: smooth_function(s, STORE),
        lambda: chebyshev_weights(s, 4, STORE),
    ):
        with pytest.raises(BadInput, match=r"init\.kind: iid .*accepted here: paper, gp, fourier"):
            call()


@pytest.mark.parametrize(("length", "share"), [(0.2, 0.97), (0.5, 0.999), (10.0, 0.9999)])
def test_a_gaussian_process_comes_near_its_lipschitz_bound_and_never_passes_it(length: float, share: float) -> None:
    s = spec(init={"kind": "gp", "length": length, "scale": 0.7, "seed": 5})
    t = np.linspace(0, 1, 5001)
    for value, bound in zip(smooth_function(s, STORE)(t), lipschitz(s), strict=True):
        fastest = np.max(np.linalg.norm(np.diff(value, axis=0), axis=(1, 2))) * 5000
        assert share * bound < fastest < bound


def test_lipschitz_constants_of_gaussian_processes_are_random() -> None:
    """d-section43-random-constants: over a hundred seeds."""
    found = [lipschitz(spec(q=2, m=1, init={"kind": "gp", "length": 0.5, "seed": k}))[1] for k in range(100)]
    assert (round(min(found), 1), round(max(found), 1)) == (1.7, 6.9)


def test_independent_layers_have_no_lipschitz_bound() -> None:
    with pytest.raises(BadInput, match=r"init\.kind: iid .*paper, gp, fourier"):
        lipschitz(spec(init={"kind": "iid"}))


# ----------------------------------------------------------------------- weights of the neural ODE


@pytest.mark.parametrize("init", SMOOTH, ids=lambda init: init["kind"])
@pytest.mark.parametrize("N", [2, 3, 12, 40])
def test_chebyshev_weights_interpolate_the_function(init: dict[str, Any], N: int) -> None:
    s = spec(init=init)
    weights = chebyshev_weights(s, N, STORE)
    assert weights["V"].shape == (N, 3, 4) and weights["W"].shape == (N, 4, 3)
    assert np.array_equal(weights["A"], parameters(s, 1, STORE)["A"])
    assert np.array_equal(weights["B"], parameters(s, 1, STORE)["B"])
    nodes = (np.polynomial.chebyshev.chebpts1(N) + 1) / 2
    for found, wanted in zip(evaluate_weights(weights, nodes), smooth_function(s, STORE)(nodes), strict=True):
        # |T_i| <= 1: each coefficient is a mean of N products, cos(iθ) within (N π + 2) u, and a value sums N
        # of them; the recurrence for T_i is within i² u, and a node's error of u moves T_i by i² u at most.
        error = 2 * N * (4 * N + 2 * N**2) * U * max(1.0, float(np.abs(wanted).max()))
        assert np.abs(found - wanted).max() <= error


def test_chebyshev_weights_are_numpys_interpolant() -> None:
    s = spec(init={"kind": "gp"})
    weights, f = chebyshev_weights(s, 9, STORE), smooth_function(s, STORE)

    def entry(u: Any) -> Any:
        return f((u + 1) / 2)[0][:, 2, 1]

    numpys: Array = np.asarray(np.polynomial.chebyshev.chebinterpolate(entry, 8), dtype=np.float64)
    # The errors of the test above; no value of the entry exceeds the sum of its coefficients.
    error = 2 * 9 * (4 * 9 + 2 * 81) * U * np.abs(f.V[:, 2, 1]).sum()
    assert np.abs(weights["V"][:, 2, 1] - numpys).max() <= error


def test_forty_coefficients_hold_the_smoothest_kinds_between_the_nodes_too() -> None:
    """cos(πrs), r <= 3, has Chebyshev coefficients 2 |J_i(3π/2)|, below 1e-30 from i = 40 on."""
    s = spec(init={"kind": "fourier", "terms": 3})
    t = np.linspace(0, 1, 64)
    pairs = zip(evaluate_weights(chebyshev_weights(s, 40, STORE), t), smooth_function(s, STORE)(t), strict=True)
    for found, wanted in pairs:
        error = 2 * 40 * (4 * 40 + 2 * 1600) * U * float(np.abs(wanted).max())
        assert np.abs(found - wanted).max() <= error


# ------------------------------------------------------------------------------------ given arrays


def given_parameters(L: int = 6) -> dict[str, Array]:
    r = np.random.RandomState(0).standard_normal
    return {"A": r((3, 2)), "V": r((L, 3, 4)), "W": r((L, 4, 3)), "B": r((1, 3))}


@pytest.mark.parametrize("L", [6, 12])
def test_given_parameters_come_back_as_fresh_copies(L: int) -> None:
    store = ArrayStore()
    arrays = given_parameters(L)
    reference = store.reference(arrays)
    assert (reference.sha256 is None) == (L == 6)  # 153 numbers stand inline, 297 do not
    s = spec(L=L, init={"kind": "arrays", "arrays": reference})
    p = parameters(s, L, store)
    assert list(p) == ["A", "V", "W", "B"]
    assert all(np.array_equal(p[name], arrays[name]) for name in arrays)
    p["V"][:] = 0
    assert np.array_equal(parameters(s, L, store)["V"], arrays["V"])


def test_given_parameters_of_another_depth_or_name_are_refused() -> None:
    store = ArrayStore()
    s = spec(init={"kind": "arrays", "arrays": store.reference(given_parameters())})
    with pytest.raises(BadInput, match=r"V has shape \(6, 3, 4\), the spec's sizes ask for \(12, 3, 4\)"):
        parameters(s, 12, store)
    fewer = {k: a for k, a in given_parameters().items() if k != "B"}
    s = spec(init={"kind": "arrays", "arrays": store.reference(fewer)})
    with pytest.raises(BadInput, match=r"\['A', 'V', 'W'\], expected \['A', 'B', 'V', 'W'\]"):
        parameters(s, 6, store)
    with pytest.raises(BadInput, match=r"init\.kind: arrays"):
        smooth_function(s, store)


# ----------------------------------------------------------------------------------------- inputs


@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 5), q=st.integers(5, 9))
def test_sphere_rows_have_norm_root_q(seed: int, d: int, q: int) -> None:
    x, _ = inputs(spec(d=d, q=q, data={"kind": "sphere", "seed": seed}), STORE)
    # The norm: (d/2 + 2) u, quotient and root 2 u, product u; the norm taken here (d/2 + 2) u again.
    assert np.abs(np.linalg.norm(x, axis=1) / math.sqrt(q) - 1).max() <= (d + 8) * U


def test_the_draws_are_x_then_y() -> None:
    numbers = np.random.RandomState(9).standard_normal(15)
    x, y = inputs(spec(data={"kind": "gaussian", "seed": 9, "label_scale": 2.0}), STORE)
    assert np.array_equal(x.ravel(), numbers[:10])
    assert np.array_equal(y.ravel(), 2 * numbers[10:])
    assert x.shape == (5, 2) and y.shape == (5, 1)
    sphere, same = inputs(spec(data={"kind": "sphere", "seed": 9, "label_scale": 2.0}), STORE)
    assert np.array_equal(y, same)
    across = sphere[:, 0] * x[:, 1] - sphere[:, 1] * x[:, 0]
    assert np.abs(across).max() <= 8 * U * math.sqrt(3) * np.linalg.norm(x, axis=1).max()
    assert (np.sum(sphere * x, axis=1) > 0).all()


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["sphere", "gaussian"]), d=st.integers(1, 4))
def test_orthogonal_labels_are_orthogonal_to_every_column_of_x(seed: int, kind: str, d: int) -> None:
    data = {"kind": kind, "seed": seed, "labels": "orthogonal"}
    s = spec(n=12, d=d, q=4, dout=3, data=data)
    x, y = inputs(s, STORE)
    plain = inputs(s.model_copy(update={"data": s.data.model_copy(update={"labels": "gaussian"})}), STORE)[1]
    # Householder QR spans the columns of x up to n d u of |x|; the projection and the product add n u each.
    error = 4 * 12 * (d + 2) * U
    assert np.abs(x.T @ y).max() <= error * np.linalg.norm(x) * np.linalg.norm(plain)
    assert 0 < np.linalg.norm(y) <= np.linalg.norm(plain)
    # What was taken away lies in the column space of x.
    taken = plain - y
    rest = taken - x @ np.linalg.lstsq(x, taken, rcond=None)[0]
    assert np.linalg.norm(rest) <= error * np.linalg.cond(x) * np.linalg.norm(plain)


@pytest.mark.parametrize(("n", "d"), [(2, 2), (1, 2)])
def test_orthogonal_labels_need_more_samples_than_dimensions(n: int, d: int) -> None:
    with pytest.raises(BadInput, match=f"data.labels: orthogonal .* got n={n}, d={d}; take n > d"):
        inputs(spec(n=n, d=d, data={"kind": "sphere", "labels": "orthogonal"}), STORE)


def test_given_data_are_checked_against_the_spec_and_scaled() -> None:
    store = ArrayStore()
    x, y = np.arange(10.0).reshape(5, 2), np.arange(5.0).reshape(5, 1)
    reference = store.reference({"x": x, "y": y}, source="a test")
    s = spec(data={"kind": "arrays", "arrays": reference, "label_scale": 0.5})
    got = inputs(s, store)
    assert np.array_equal(got[0], x) and np.array_equal(got[1], y / 2)
    with pytest.raises(BadInput, match=r"data\.arrays: x has shape \(5, 2\), the spec's sizes ask for \(4, 2\)"):
        inputs(s.model_copy(update={"n": 4}), store)
    with pytest.raises(BadInput, match=r"arrays \['x'\], expected \['x', 'y'\]"):
        inputs(spec(data={"kind": "arrays", "arrays": store.reference({"x": x})}), store)


# ------------------------------------------------------------------------------------ array store

ARRAYS = st.dictionaries(
    st.sampled_from(["x", "y", "A", "long_name_1"]),
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    ),
    min_size=1,
)


@given(arrays=ARRAYS)
def test_arrays_survive_the_folder_bit_by_bit(arrays: dict[str, Array], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("arrays")
    store = ArrayStore()
    key = store.add(arrays)
    store.save(folder)
    assert [p.name for p in folder.iterdir()] == [f"{key}.npz"]
    fresh = ArrayStore()
    loaded = fresh.load(folder, key)
    assert key in fresh and set(loaded) == set(arrays)
    with np.load(folder / f"{key}.npz", allow_pickle=False) as archive:
        for name, a in arrays.items():
            assert loaded[name].shape == archive[name].shape == a.shape
            assert loaded[name].tobytes() == archive[name].tobytes() == a.tobytes()
    again = folder / "again"
    fresh.save(again)
    assert (again / f"{key}.npz").read_bytes() == (folder / f"{key}.npz").read_bytes()


@given(arrays=ARRAYS)
def test_a_reference_resolves_to_the_arrays_also_through_json(arrays: dict[str, Array]) -> None:
    store = ArrayStore()
    reference = store.reference(arrays, source="Hypothesis")
    back = ArraySet.model_validate_json(reference.model_dump_json())
    found = store.resolve(back)
    assert set(found) == set(arrays)
    assert all(found[k].shape == a.shape and found[k].tobytes() == a.tobytes() for k, a in arrays.items())


def test_the_digest_is_of_names_shapes_and_numbers_only() -> None:
    a = np.arange(6.0).reshape(2, 3)
    same = [
        {"x": a, "y": a[0]},
        {"y": a[0].copy(), "x": np.asfortranarray(a)},
        {"x": a.astype(">f8"), "y": a[0]},
    ]
    assert len({digest(arrays) for arrays in same}) == 1
    other: list[dict[str, Array]] = [
        {"x": a, "z": a[0]},
        {"x": a.T, "y": a[0]},
        {"x": a.ravel(), "y": a[0]},
        {"x": a + 1, "y": a[0]},
        {"x": a},
        {"xy": a, "": a[0]},
        {"x": a.reshape(2, 3, 1), "y": a[0]},
    ]
    digests = [digest(arrays) for arrays in (same[0], *other)]
    assert all(one != two for one, two in itertools.combinations(digests, 2))


def test_the_digest_does_not_change_between_versions() -> None:
    known = digest({"x": np.array([[1.0, -2.5]]), "y": np.array(0.0)})
    assert known == "f8eb3d59c62419adafbe3a44cee8669543dae53eb5e6917bca27c167bdb995df"


def test_stored_arrays_cannot_be_changed() -> None:
    store = ArrayStore()
    original = np.zeros(300)
    key = store.add({"x": original})
    original[0] = 1
    kept = store.resolve(ArraySet(sha256=key))["x"]
    assert kept[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "an empty set"),
        ({"x": np.zeros(2, dtype=np.float32)}, "x has dtype float32, expected float64"),
        ({"x": np.array([[0.0, np.nan]])}, r"x\[0, 1\] is nan"),
        ({"x": np.array(np.inf)}, r"x\[\] is inf"),
        ({"../x": np.zeros(2)}, "'../x' is no identifier"),
    ],
)
def test_what_a_store_does_not_take(arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ArrayStore().add(arrays)


def test_a_set_that_is_not_at_hand_is_named_with_where_it_should_lie() -> None:
    with pytest.raises(BadInput, match=f"expected arrays/{'a' * 64}.npz beside the file"):
        ArrayStore().resolve(ArraySet(sha256="a" * 64))


@pytest.mark.parametrize(
    "inline",
    [(("x", (-1, -2), (1.0, 2.0)),), (("x", (1,), (1.0,)), ("x", (1,), (2.0,)))],
    ids=["negative", "repeated"],
)
def test_inline_arrays_with_impossible_shapes_or_repeated_names_are_refused(inline: Any) -> None:
    with pytest.raises(BadInput, match=r"arrays: x with shape .*repeated name or a negative length"):
        ArrayStore().resolve(ArraySet(inline=inline))


def saved(folder: Path, arrays: dict[str, Array]) -> tuple[str, Path]:
    store = ArrayStore()
    key = store.add(arrays)
    store.save(folder)
    return key, folder / f"{key}.npz"


def test_a_changed_or_damaged_file_is_refused(tmp_path: Path) -> None:
    key, path = saved(tmp_path, {"x": np.arange(400.0)})
    whole = path.read_bytes()
    np.savez(path, x=np.arange(400.0) + 1)
    with pytest.raises(BadInput, match=r"its arrays have the digest [0-9a-f]{64}, not the one in its name"):
        ArrayStore().load(tmp_path, key)
    np.savez(path, x=np.arange(400.0, dtype=np.float32))
    with pytest.raises(BadInput, match=r"x has dtype float32, expected float64"):
        ArrayStore().load(tmp_path, key)
    for cut in (0, 10, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(BadInput, match=r"not a whole \.npz file"):
            ArrayStore().load(tmp_path, key)
    for at in range(0, len(whole), 97):  # a flipped bit is noticed, or sits where it changes no array
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        try:
            loaded = ArrayStore().load(tmp_path, key)
        except BadInput:
            continue
        assert np.array_equal(loaded["x"], np.arange(400.0))
    path.unlink()
    with pytest.raises(BadInput, match="No such file"):
        ArrayStore().load(tmp_path, key)


@pytest.mark.parametrize("name", ["../secret", "a" * 63, "A" * 64, ""])
def test_only_a_digest_names_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="no SHA-256 of 64"):
        ArrayStore().load(tmp_path, name)


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (118 - len(text) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"x.npy": header("(1000000000000,)") + b"\0" * 8}, "x has 8 bytes for shape"),
        ({"x.npy": header("(-1,)") + b"\0" * 8}, "x has 8 bytes for shape"),
        ({"x.npy": header("(2, 'a')") + b"\0" * 8}, "not a whole .npz file"),
        ({"x.npy": header("(1,)", "'|O'") + b"\0" * 8}, "x holds Python objects"),
        ({"x.npy": b"\x93NUMPY\x07\x00"}, r"x has .npy version \(7, 0\)"),
        ({"x.npy": b"nothing"}, "not a whole .npz file"),
        ({"x.txt": b"nothing"}, r"holds \['x.txt'\], expected distinct NAME.npy only"),
        ({"x.npy": header("(40,)") + b"\0" * 320}, "448 bytes unpacked, at most 300"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_npz_is_refused_before_anything_is_allocated(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    path = tmp_path / "hostile.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(BadInput, match=message):
        read_npz(path, 300)


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("x.npy", header("(1,)") + b"\0" * 8)
        archive.writestr("x.npy", header("(1,)") + b"\0" * 8)
    with pytest.raises(BadInput, match="expected distinct"):
        read_npz(path, 10_000)


def test_fortran_order_and_compression_are_read(tmp_path: Path) -> None:
    a = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez_compressed(tmp_path / "a.npz", a=a)
    found = read_npz(tmp_path / "a.npz", 10_000)["a"]
    assert np.array_equal(found, a) and found.flags.c_contiguous and found.flags.writeable
