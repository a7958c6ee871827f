"""The suprema of the catalogue are attacked and proved again; its NumPy side is held against 40 digits.

Three independent routes meet here. Search, in ball arithmetic at points, must come close to each enclosure
from below and never pass it. Branch and bound over intervals proves each upper end again, without the algebra
of the certificates. And mpmath evaluates the SymPy expressions: our NumPy, naive formulas, and torch with its
autograd must agree with it within the stated rounding radii, and these must not be ten times too wide.
"""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, get_args

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch
from flint import arb, ctx
from numpy.typing import NDArray

from depthlimit.models import activations
from depthlimit.models.spec import Sigma
from depthlimit.theory.activation import CATALOGUE, HYPOTHESES, Activation, Enclosure, U, constants, lookup

Array = NDArray[np.float64]
Formula = tuple[Callable[[Array], Array], Callable[[Array], Array]]  # φ, φ'

SCALES = [(1.0, 1.0), (3.3, 1.7), (-0.5, -0.3)]
ORDERS = ("bound", "lipschitz", "curvature")


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with ctx.workprec(128):
        yield


def sigma(name: str, a: float = 1.0, b: float = 1.0) -> dict[str, Any]:
    return {"name": name, "a": a, "b": b}


def in_balls(phi: Activation, order: int) -> Callable[[arb], arb]:
    """The derivative of that order over balls; numbers in the printed code must be exact in binary."""
    expression = phi.derivative(order)
    assert all(r.q & (r.q - 1) == 0 for r in expression.atoms(sp.Rational)), expression
    functions = {"sqrt": lambda x: arb(x).sqrt(), "pi": arb.pi(), "atan": arb.atan}
    functions |= {name: getattr(arb, name) for name in ("exp", "erf", "tanh", "sin", "cos")}
    function = sp.lambdify(U, expression, modules=[functions])
    return lambda x: arb(function(x))


def enclosure(phi: Activation, order: int) -> Enclosure:
    found = getattr(phi, ORDERS[order])
    assert isinstance(found, Enclosure)
    return found


CASES = [(phi, order) for phi in CATALOGUE.values() for order in range(3)]
# Pieces, which balls around 0 cannot decide, are left to the search.
PROVABLE = [(p, k) for p, k in CASES if math.isfinite(enclosure(p, k).hi) and p.name != "relu"]


def named(cases: list[tuple[Activation, int]]) -> list[Any]:
    return [pytest.param(phi, order, id=f"{phi.name}-{ORDERS[order]}") for phi, order in cases]


# --- suprema ---


@pytest.mark.parametrize(("phi", "order"), named(CASES))
def test_search_comes_close_to_each_supremum_and_never_passes_it(phi: Activation, order: int) -> None:
    claimed = enclosure(phi, order)
    if (phi.name, order) == ("relu", 2):
        slope = in_balls(phi, 1)
        assert claimed.lo == math.inf
        assert (slope(arb(2) ** -40) - slope(-(arb(2) ** -40))) * 2**39 > 1e11  # its difference quotient
        return
    function = in_balls(phi, order)

    def size(x: float) -> arb:
        return abs(function(arb(x)))

    far = np.geomspace(20, 1e12, 120)
    grid = np.concatenate([-far[::-1], np.linspace(-20, 20, 2001), far])
    values = [float(size(x)) for x in grid]
    best = int(np.argmax(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    for _ in range(80):  # ternary search of the best cell
        third = (high - low) / 3
        if size(low + third) < size(high - third):
            low += third
        else:
            high -= third
    top = size((low + high) / 2)
    top = top.max(size(grid[best]))
    assert not any(size(x) > claimed.hi for x in grid)
    assert not top > claimed.hi
    # At 1e12 a limit is within 1e-12 (arctan, the slowest); a maximum is met to the precision of the search.
    assert top > min(claimed.lo, 1e11) - 1e-9


@pytest.mark.parametrize(("phi", "order"), named(PROVABLE))
def test_branch_and_bound_proves_each_supremum_again(phi: Activation, order: int) -> None:
    claimed = enclosure(phi, order)
    # With 1e-6 to spare, boxes of 1e-6 decide near a maximum; tails beyond 64 are left to the certificates.
    assert_below(in_balls(phi, order), lambda x: arb(claimed.hi) * (1 + 1e-6), reach=64)


def by_logarithm(first: Callable[[arb], arb], second: Callable[[arb], arb]) -> Callable[[arb], arb]:
    """d²f/d(ln|x|)² of a function with these derivatives."""
    return lambda x: x * first(x) + x**2 * second(x)


def assert_below(function: Callable[[arb], arb], limit: Callable[[arb], arb], reach: int) -> None:
    """|function| <= limit on [-reach, reach], by bisection until ball arithmetic decides."""
    boxes = [(arb(k), arb(k + 1)) for k in range(-reach, reach)]
    while boxes:
        low, high = boxes.pop()
        box = low.union(high)
        if abs(function(box)) <= limit(box):
            continue
        middle = (low + high) / 2
        assert not abs(function(middle)) > limit(middle), f"exceeded at {middle}"
        assert high - low > 1e-12, f"not decided near {middle}"
        boxes += [(low, middle), (middle, high)]


@pytest.mark.parametrize(("phi", "order"), named(CASES))
def test_enclosures_are_narrow_and_say_how_they_were_proved(phi: Activation, order: int) -> None:
    claimed = enclosure(phi, order)
    assert claimed.certificate
    if math.isfinite(claimed.hi):
        assert claimed.hi - claimed.lo <= 1e-12 * claimed.hi


def test_properties_are_those_of_section_3() -> None:
    lacking = {name: HYPOTHESES - phi.properties for name, phi in CATALOGUE.items()}
    assert {name: missing for name, missing in lacking.items() if missing} == {
        "identity": {"bounded"},
        "relu": {"bounded", "C2"},
        "gelu": {"bounded"},
        "silu": {"bounded"},
    }
    # Everything without pieces is a composition of functions that are analytic on the line.
    assert [name for name, phi in CATALOGUE.items() if phi.expr.has(sp.Piecewise)] == ["relu"]


def test_an_activation_whose_properties_contradict_its_constants_is_refused() -> None:
    one, none = Enclosure(1.0, 1.0, "given"), Enclosure(math.inf, math.inf, "given")
    with pytest.raises(ValueError, match="bounded is claimed"):
        Activation("new", U, HYPOTHESES, none, one, one)
    with pytest.raises(ValueError, match="zero-at-zero is claimed"):
        Activation("new", sp.cos(U), HYPOTHESES, one, one, one)
    with pytest.raises(ValueError, match=r"\['smooth'\]"):
        Activation("new", sp.sin(U), HYPOTHESES | {"smooth"}, one, one, one)
    with pytest.raises(ValueError, match="lo <= hi"):
        Enclosure(1.0, 0.5, "given")


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.1, 3.3), (-2.5, 0.7), (1e-3, -1e5)])
def test_constants_are_rounded_outward_by_an_ulp_or_two(name: str, a: float, b: float) -> None:
    found, phi = constants(name, a, b), CATALOGUE[name]
    factors = {
        "M_sigma": Fraction(a),
        "K_sigma": Fraction(a) * Fraction(b),
        "S2": Fraction(a) * Fraction(b) ** 2,
    }
    for (key, factor), order in zip(factors.items(), range(3), strict=True):
        supremum = enclosure(phi, order)
        if math.isinf(supremum.hi):
            assert found[key].lo == math.inf
            continue
        assert Fraction(found[key].lo) <= abs(factor) * Fraction(supremum.lo)
        assert Fraction(found[key].hi) >= abs(factor) * Fraction(supremum.hi)
        assert found[key].hi - found[key].lo <= 4 * np.spacing(found[key].hi)


@pytest.mark.parametrize("name", CATALOGUE)
def test_constants_are_the_suprema_of_the_scaled_function(name: str) -> None:
    act = sigma(name, -2.5, 0.7)
    u = np.linspace(-40, 40, 80_001)
    for key, function in (
        ("M_sigma", activations.value),
        ("K_sigma", activations.derivative),
        ("S2", activations.second_derivative),
    ):
        found, attained = constants(**act)[key], np.max(np.abs(function(act, u)))
        if math.isfinite(found.hi):
            # Below by the grid's step 1e-3 squared, or arctan's tail 1/28; above by no more than rounding.
            assert 0.97 * found.lo <= attained <= found.hi * (1 + 64 * activations.EPS)


def test_constants_of_nothing_and_of_too_much() -> None:
    assert all(e.hi == 0 for e in constants("gelu", 0.0, 2.0).values())
    assert all(e.hi == 0 for e in constants("gelu", 2.0, 0.0).values())
    huge = constants("tanh", 1e308, 1e300)["K_sigma"]
    assert math.isfinite(huge.lo) and huge.hi == math.inf
    tiny = constants("tanh", 1e-200, 1e-200)["K_sigma"]
    assert tiny.lo == 0 < tiny.hi
    with pytest.raises(ValueError, match="finite"):
        constants("tanh", math.nan, 1.0)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    u = np.zeros(1)
    for call in (
        lambda: lookup("swish"),
        lambda: constants("swish", 1.0, 1.0),
        lambda: activations.value(sigma("swish"), u),
        lambda: activations.derivative_error(sigma("swish"), u),
    ):
        with pytest.raises(ValueError, match="swish") as caught:
            call()
        assert all(name in str(caught.value) for name in CATALOGUE)


def test_specs_accept_exactly_the_catalogue() -> None:
    assert get_args(Sigma.model_fields["name"].annotation) == tuple(CATALOGUE)


# --- NumPy, naive formulas and torch against mpmath ---


def by_torch(function: Callable[[torch.Tensor], torch.Tensor]) -> Formula:
    """A function and its autograd."""

    def slope(t: Array) -> Array:
        x = torch.tensor(t, requires_grad=True)
        (found,) = torch.autograd.grad(function(x).sum(), x)
        return np.asarray(found.numpy())

    return (lambda t: np.asarray(function(torch.tensor(t)).numpy())), slope


def gauss(t: Array) -> Array:
    return np.asarray(np.exp(-(t**2) / 4))


FORMULAS: dict[str, list[Formula]] = {
    "identity": [],
    "relu": [by_torch(torch.relu)],
    "tanh": [
        by_torch(torch.tanh),
        (np.tanh, lambda t: 1 - np.tanh(t) ** 2),
        (np.tanh, lambda t: 1 / np.cosh(t) ** 2),
    ],
    "sin": [by_torch(torch.sin)],
    "erf": [by_torch(torch.erf)],
    "arctan": [by_torch(torch.atan)],
    "algebraic": [
        by_torch(lambda t: t / torch.sqrt(1 + t * t)),
        by_torch(lambda t: t * torch.rsqrt(1 + t * t)),
        by_torch(lambda t: t / torch.hypot(torch.ones_like(t), t)),
        (lambda t: t / np.sqrt(1 + t**2), lambda t: (1 + t**2) ** -1.5),
    ],
    "one_minus_cos": [
        by_torch(lambda t: 1 - torch.cos(t)),
        by_torch(lambda t: 2 * torch.sin(t / 2) ** 2),
        (lambda t: 1 - np.cos(t), np.sin),
    ],
    "one_minus_gauss": [
        by_torch(lambda t: 1 - torch.exp(-(t**2) / 4)),
        by_torch(lambda t: -torch.expm1(-t * t / 4)),
        (lambda t: 1 - gauss(t), lambda t: t / 2 * gauss(t)),
    ],
    "gelu": [
        by_torch(torch.nn.functional.gelu),
        by_torch(lambda t: t * (1 + torch.erf(t / math.sqrt(2))) / 2),
        by_torch(lambda t: t * torch.special.ndtr(t)),
    ],
    "silu": [
        by_torch(torch.nn.functional.silu),
        by_torch(lambda t: t / (1 + torch.exp(-t))),
        by_torch(lambda t: t * (0.5 + 0.5 * torch.tanh(0.5 * t))),
    ],
}


def points() -> Array:
    stream = np.random.RandomState(0)
    bulk = [scale * stream.randn(150) for scale in (1e-3, 0.1, 1.0, 3.0, 6.0)]
    zeros = math.pi * np.array([-1, 0.5, 1, 2, 7, 10])
    saturated = [s * x for x in (5.9, 8.2, 8.4, 9.2, 9.5, 13.2, 18.8, 19.1, 22.0, 36.7, 38.2) for s in (1, -1)]
    return np.concatenate([*bulk, zeros, saturated, [0.0, -0.0, 1e-12, -1e-9, -1.2784645, -0.7517915]])


def exact(expression: sp.Expr, factors: tuple[float, ...], b: float, u: Array) -> list[mpmath.mpf]:
    """Π factors · expression(b u) to 40 digits though the expressions cancel to exp(-t²/2) or exp(-2|t|)."""
    function = sp.lambdify(U, expression, "mpmath")
    found = []
    for x in u:
        t = abs(b * x)
        with mpmath.workdps(40 + int(t**2 / 4 + t)):
            found.append(mpmath.fprod(factors) * function(mpmath.mpf(b) * mpmath.mpf(x)))
    return found


def worst(computed: Array, truth: list[mpmath.mpf], radius: Array) -> float:
    """The largest error in units of the radius; both 0 count as 0."""
    with mpmath.workdps(700):  # so that differences are exact enough at any depth of cancellation
        errors = np.array([float(abs(mpmath.mpf(float(c)) - x)) for c, x in zip(computed, truth, strict=True)])
    assert np.all(np.isfinite(computed)) and not np.any(errors[radius == 0])
    return float(np.max(errors / np.where(radius == 0, 1.0, radius)))


@pytest.mark.parametrize(("a", "b"), SCALES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_reasonable_implementations_stay_within_the_radius_and_near_it(name: str, a: float, b: float) -> None:
    act, u, phi = sigma(name, a, b), points(), CATALOGUE[name]
    value, slope = exact(phi.expr, (a,), b, u), exact(phi.derivative(), (a, b), b, u)
    values = [activations.value(act, u)] + [a * f(b * u) for f, _ in FORMULAS[name]]
    slopes = [activations.derivative(act, u)] + [a * b * g(b * u) for _, g in FORMULAS[name]]
    value_ratios = [worst(found, value, activations.evaluation_error(act, u)) for found in values]
    slope_ratios = [worst(found, slope, activations.derivative_error(act, u)) for found in slopes]
    assert max(value_ratios) <= 1, value_ratios
    assert max(slope_ratios) <= 1, slope_ratios
    # Correct rounding alone is an eighth of 4 ulp. The linear ones round nothing where a and b are ±2^k.
    if name not in ("identity", "relu"):
        assert min(max(value_ratios), max(slope_ratios)) >= 0.1, (value_ratios, slope_ratios)


FAULTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": lambda t: torch.nn.functional.gelu(t, approximate="tanh"),
    "tanh": lambda t: torch.tanh(t.float()).double(),
    "silu": lambda t: t * torch.sigmoid(t.float()),
    "erf": lambda t: torch.tanh(2 / math.sqrt(math.pi) * t),
    "one_minus_gauss": lambda t: 1 - torch.exp(-(t**2) / 4 * (1 + 1e-13)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_approximation_and_single_precision_are_outside_the_radius(name: str) -> None:
    f, g = by_torch(FAULTS[name])
    act, u = sigma(name), np.linspace(-3, 3, 101)
    value = exact(CATALOGUE[name].expr, (), 1.0, u)
    slope = exact(CATALOGUE[name].derivative(), (), 1.0, u)
    assert worst(f(u), value, activations.evaluation_error(act, u)) > 10
    assert worst(g(u), slope, activations.derivative_error(act, u)) > 10


@pytest.mark.parametrize("name", [n for n in CATALOGUE if n not in ("identity", "relu")])
def test_a_rounded_argument_moves_results_by_no_more_than_first_and_second_order(name: str) -> None:
    phi = CATALOGUE[name]
    for order in (0, 1):
        first, second = in_balls(phi, order + 1), in_balls(phi, order + 2)
        if name in ("sin", "one_minus_cos"):
            assert_below(second, lambda x: arb(1) + 1e-9, reach=8)
        else:  # the second derivative by ln|t|, as the module claims
            assert_below(by_logarithm(first, second), lambda x: 2 * (1 + abs(x)), reach=64)


@pytest.mark.parametrize("name", CATALOGUE)
def test_nothing_cancels_near_zero(name: str) -> None:
    u = np.geomspace(1e-12, 1e-3, 40)
    with mpmath.workdps(80):
        function = sp.lambdify(U, CATALOGUE[name].expr, "mpmath")
        truth = np.array([float(function(mpmath.mpf(x))) for x in u])
    # Two elementary functions of 4 ulp (8ε) and at most four operations.
    assert np.all(np.abs(activations.value(sigma(name), u) - truth) <= 20 * activations.EPS * np.abs(truth))


@pytest.mark.parametrize("name", CATALOGUE)
def test_second_derivatives_agree_with_sympy(name: str) -> None:
    u = points()
    second = CATALOGUE[name].derivative(2)
    truth = np.array([float(x) for x in exact(second, (), 1.0, u)])
    # At most a dozen roundings and two functions of 4 ulp, in terms below 2 (gelu's (2 - t²)ϕ included).
    assert np.all(np.abs(activations.second_derivative(sigma(name), u) - truth) <= 64 * activations.EPS)


@pytest.mark.parametrize("name", CATALOGUE)
def test_nothing_overflows_far_out(name: str) -> None:
    u = np.array([1e3, 1e5, 1e150, 1e200, 1e300])
    u = np.concatenate([u, -u])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for function in (activations.value, activations.derivative):
            assert np.all(np.isfinite(function(sigma(name), u)))
    u = u[np.abs(u) <= 1e150]
    for error in (activations.evaluation_error, activations.derivative_error):
        assert np.all(np.isfinite(error(sigma(name, 3.3, 1.7), u)))


def test_relu_has_slope_zero_at_its_kink() -> None:
    kink = np.array([0.0, -0.0])
    assert activations.derivative(sigma("relu"), kink).tolist() == [0.0, 0.0]
    assert CATALOGUE["relu"].derivative().subs(U, 0) == 0


@pytest.mark.parametrize("name", CATALOGUE)
def test_any_shape_and_layout_gives_the_same_numbers(name: str) -> None:
    act, u = sigma(name, 3.3, 1.7), np.random.RandomState(1).randn(3, 4, 5)
    for function in (
        activations.value,
        activations.derivative,
        activations.second_derivative,
        activations.evaluation_error,
        activations.derivative_error,
    ):
        whole = function(act, u)
        assert isinstance(whole, np.ndarray) and whole.shape == u.shape and whole.dtype == np.float64
        # Vectorised and scalar code of a library may differ by its 4 ulp each way.
        close = 16 * activations.EPS * (np.abs(whole) + 4 * abs(act["a"] * act["b"] ** 2))
        assert np.all(np.abs(function(act, u.T).T - whole) <= close)
        single = function(act, np.asarray(u[1, 2, 3]))
        assert isinstance(single, np.ndarray) and single.shape == ()
        assert abs(single - whole[1, 2, 3]) <= close[1, 2, 3]
        assert function(act, np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.complex128, ">f8"])
def test_another_dtype_is_named_and_not_converted(dtype: Any) -> None:
    u = np.ones(2, dtype=dtype)
    for function in (activations.value, activations.derivative, activations.evaluation_error):
        with pytest.raises(TypeError, match=f"got {u.dtype}, expected float64"):
            function(sigma("tanh"), u)


@pytest.mark.parametrize("name", CATALOGUE)
def test_latex_is_rendered_from_the_expression(name: str) -> None:
    assert "u" in CATALOGUE[name].latex
