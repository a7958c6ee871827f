"""Verdicts, tightness and enclosures on hand-made fields."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim, Condition, Source
from depthlimit.theory.enclosure import evaluate, log_evaluate
from depthlimit.theory.quantity import Field, number
from depthlimit.theory.record import RECORD_SCHEMA, nearness, record, summarise

A, B, X = sp.symbols("a b x", nonnegative=True)


def _claim(relation: str = "<=", lhs: sp.Expr = A, rhs: sp.Expr = B, **more: object) -> Claim:
    return Claim("test.claim", lhs, relation, rhs, Source("test"), ("plain-flow",), "", "a", **more)  # type: ignore[arg-type]


def _judge(claim: Claim, **fields: Field) -> J.Judgement:
    return claim.judge(fields, frozenset())


def _line(values: list[float], radius: float = 0.0) -> Field:
    return Field(np.array(values), np.float64(radius), ("layer",))


@pytest.mark.parametrize(
    ("a", "e_a", "b", "e_b", "verdict"),
    [
        (1.0, 0.1, 2.0, 0.1, J.HOLDS),
        (1.0, 0.5, 2.0, 0.6, J.UNDECIDED),
        (2.0, 0.1, 1.0, 0.1, J.VIOLATED),
        (2.0, 0.6, 1.0, 0.5, J.UNDECIDED),
        (0.0, 0.0, 0.0, 0.1, J.HOLDS),
        (0.0, 0.1, 0.0, 0.0, J.UNDECIDED),
    ],
)
def test_an_inequality_is_decided_by_both_radii(a: float, e_a: float, b: float, e_b: float, verdict: str) -> None:
    assert _judge(_claim(), a=number(a, e_a), b=number(b, e_b)).verdict == verdict
    assert _judge(_claim(">="), a=number(b, e_b), b=number(a, e_a)).verdict == verdict


@pytest.mark.parametrize(
    ("a", "b", "radius", "verdict"),
    [
        (1.0, 1.0 + 1e-9, 1e-9, J.HOLDS),
        (1.0, 1.0 + 3e-9, 1e-9, J.VIOLATED),
        (1.0, 1.0, 1e-3, J.UNDECIDED),
        (0.0, 0.0, 0.0, J.HOLDS),
        (0.0, 1e-300, 0.0, J.VIOLATED),
    ],
)
def test_an_equality_is_decided_by_the_sum_of_the_radii_and_needs_resolution(a: float, b: float, radius: float, verdict: str) -> None:
    assert _judge(_claim("="), a=number(a, radius), b=number(b, radius)).verdict == verdict


def test_an_equality_of_cancelling_sums_is_resolved_against_their_terms() -> None:
    tiny, radius, grid = np.array([1e-20]), np.float64(1e-16), ("layer",)
    bare = Field(tiny, radius, grid)
    of_terms = Field(tiny, radius, grid, np.array([1.0]))
    assert _judge(_claim("="), a=bare, b=bare).verdict == J.UNDECIDED
    assert _judge(_claim("="), a=bare, b=of_terms).verdict == J.HOLDS
    assert _judge(_claim("="), a=Field(np.array([1e-3]), radius, grid), b=of_terms).verdict == J.VIOLATED


def test_vectors_are_compared_in_the_euclidean_norm() -> None:
    def vector(*values: float) -> Field:
        return Field(np.array([values]), np.array([0.9e-3]), ("layer", "component"))

    x, y = sp.symbols("a b", real=True)
    claim = _claim("=", x, y)
    assert _judge(claim, a=vector(3.0, 4.0), b=vector(3.0, 4.0017)).verdict == J.HOLDS
    rotated = _judge(claim, a=vector(3.0, 4.0), b=vector(4.0, 3.0))  # equal norms
    assert rotated.verdict == J.VIOLATED
    assert rotated.log10_tightness == pytest.approx(math.log10(math.sqrt(2) / 1.8e-3), abs=1e-9)


def test_the_worst_point_decides_and_is_located() -> None:
    verdict = _judge(_claim(), a=_line([1.0, 3.0, 2.0]), b=_line([4.0, 4.0, 2.5]))
    assert (verdict.verdict, dict(verdict.where)) == (J.HOLDS, {"layer": 2})
    assert verdict.log10_tightness == pytest.approx(math.log10(0.8))
    broken = _judge(_claim(), a=_line([1.0, 3.0, 2.0]), b=_line([4.0, 2.9, 2.5]))
    assert (broken.verdict, dict(broken.where)) == (J.VIOLATED, {"layer": 1})


def test_tightness_of_nothing_against_nothing_is_none() -> None:
    assert _judge(_claim(), a=number(0.0), b=number(0.0)).log10_tightness is None


def test_an_equality_case_counts_as_attained_only_if_resolved_and_where_it_applies() -> None:
    claim = _claim(equality=Condition("x = 0", X, "=", sp.Integer(0)))
    near = {"a": number(1.0, 1e-9), "b": number(1.0, 1e-9)}
    attained = _judge(claim, x=number(0.0), **near)
    assert (attained.verdict, attained.attained) == (J.HOLDS, True)
    assert _judge(claim, x=number(1.0), **near).verdict == J.UNDECIDED
    assert _judge(claim, x=number(0.0), a=number(1.0, 0.1), b=number(1.0, 0.1)).verdict == J.UNDECIDED


def test_a_trivial_equality_case_is_no_evidence_of_tightness() -> None:
    claim = _claim(equality=Condition("x = 0", X, "=", sp.Integer(0), trivial=True))
    verdict = _judge(claim, a=_line([1.0, 1.0]), b=_line([1.0, 2.0]), x=_line([0.0, 1.0]))
    assert verdict.log10_tightness == pytest.approx(math.log10(0.5))


def test_hypotheses_come_first() -> None:
    claim = _claim(hypotheses=(Condition("x is 1", X, "=", sp.Integer(1)),), needs=frozenset({"bounded"}))
    bad = {"a": number(2.0), "b": number(1.0), "x": number(0.0)}
    assert claim.judge(bad, frozenset()).verdict == J.OUT_OF_HYPOTHESIS
    assert claim.judge(bad, frozenset({"bounded"})).reason == "not met: x is 1"
    assert claim.judge({**bad, "x": number(1.0)}, frozenset({"bounded"})).verdict == J.VIOLATED


def test_an_instance_without_points_is_outside() -> None:
    assert _judge(_claim(), a=_line([]), b=number(1.0)).verdict == J.OUT_OF_HYPOTHESIS


@pytest.mark.parametrize("scale", ["log10", "log10log10"])
def test_a_bound_that_overflows_is_judged_in_logarithms(scale: str) -> None:
    claim = _claim(rhs=sp.exp(B), scale=scale)
    verdict = _judge(claim, a=number(1e3), b=number(1e30))
    assert verdict.verdict == J.HOLDS and verdict.rhs is not None
    log10 = 1e30 / math.log(10)
    assert verdict.rhs.value == pytest.approx(log10 if scale == "log10" else math.log10(log10), rel=1e-12)
    assert _judge(claim, a=number(3.0), b=number(1.0)).verdict == J.VIOLATED
    assert _judge(claim, a=number(3.0, 1.0), b=number(1.0)).verdict == J.UNDECIDED


def test_a_linear_bound_that_overflows_is_above_everything() -> None:
    claim = _claim(rhs=(X + B) * sp.exp(B))
    assert _judge(claim, a=number(1.0), b=number(1e6), x=number(0.1, 0.01)).verdict == J.HOLDS
    assert evaluate(claim.rhs, {"b": number(1e6), "x": number(0.1)}).lo.flat[0] > 1e308


def test_sides_that_cancel_to_rounding_are_attained_without_evidence() -> None:
    """A difference of layers of size 1, known to 1e-15: against a bound of 2e-15 it neither holds nor fails, and says nothing."""
    gap = Field(np.array([1.2e-15]), np.array([1e-15]), ("layer",), scale=np.array([1.0]))
    verdict = _judge(_claim(), a=gap, b=number(2e-15))
    assert verdict.verdict == J.HOLDS and verdict.attained and verdict.log10_tightness is None
    assert _judge(_claim(), a=_line([1.2e-15], 1e-15), b=number(2e-15)).verdict == J.UNDECIDED  # nothing larger has cancelled
    near = Field(np.array([2e-14]), np.array([1e-15]), ("layer",), scale=np.array([1.0]))
    assert _judge(_claim(), a=near, b=number(2e-14)).verdict == J.UNDECIDED  # twenty radii: near equality, not rounding
    assert _judge(_claim(), a=near, b=number(1e-15)).verdict == J.VIOLATED


def test_a_tower_in_its_equality_case_is_attained() -> None:
    case = Condition("b is 0", B, "=", sp.Integer(0), trivial=True)
    claim = _claim(rhs=X * sp.exp(B), scale="log10log10", equality=case)
    verdict = _judge(claim, a=number(0.5, 1e-12), b=number(0.0), x=number(0.5))
    assert verdict.verdict == J.HOLDS and verdict.attained
    assert _judge(claim, a=number(0.5, 1e-12), b=number(1e-13), x=number(0.5)).verdict == J.UNDECIDED
    assert _judge(claim, a=number(0.5, 1e-2), b=number(0.0), x=number(0.5)).verdict == J.UNDECIDED  # not resolved


# --- enclosures

_NUMBERS = st.floats(0.01, 50, allow_subnormal=False)
_EXPRESSIONS = [
    A * B + X,
    A / (B + X),
    sp.sqrt(A**2 + B * X),
    sp.exp(A / 10) * sp.Max(B, X) - B / 7,
    sp.log(1 + A) ** 2 + sp.Min(B, X) ** sp.Rational(3, 2),
    (A - B) ** 2 - X * (A - B) ** 3,
    sp.pi * A - sp.Rational(1, 3) * B * X,
]


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.lists(_NUMBERS, min_size=3, max_size=3), st.lists(st.floats(0, 0.3), min_size=3, max_size=3), st.data())
def test_an_enclosure_holds_every_value_that_its_inputs_allow(mids: list[float], widths: list[float], data: st.DataObject) -> None:
    fields = {k: number(m, m * w) for k, m, w in zip("abx", mids, widths, strict=True)}
    chosen = [
        Fraction(m) + Fraction(m * w) * Fraction(data.draw(st.sampled_from([-1, -0.5, 0, 0.5, 1])))
        for m, w in zip(mids, widths, strict=True)
    ]
    with mpmath.workdps(50):
        point = dict(zip((A, B, X), (sp.Rational(c.numerator, c.denominator) for c in chosen), strict=True))
        for e in _EXPRESSIONS:
            exact = mpmath.mpf(sp.N(e.subs(point), 40))
            ball = evaluate(e, fields)
            assert mpmath.mpf(float(ball.lo.flat[0])) <= exact <= mpmath.mpf(float(ball.hi.flat[0])), e


def test_an_enclosure_does_not_assume_monotonicity() -> None:
    ball = evaluate((A - 1) ** 2, {"a": number(1.0, 0.5)})  # both ends give 1/4, the middle 0
    assert ball.lo.flat[0] <= 0 <= ball.hi.flat[0]


@given(st.floats(0.1, 30), st.floats(0.1, 30))
@settings(max_examples=40, deadline=None, database=None, derandomize=True)
def test_logarithms_of_towers_agree_with_mpmath(a: float, b: float) -> None:
    expression = (A + 2 * B) * sp.exp(A * sp.exp(B)) + sp.sqrt(A) / B
    lo, hi = log_evaluate(expression, {"a": (a, 0.0), "b": (b, 0.0)})
    with mpmath.workdps(60):
        x = mpmath.mpf(a) * mpmath.exp(b)
        exact = x + mpmath.log(mpmath.mpf(a) + 2 * b + mpmath.exp(-x) * mpmath.sqrt(a) / b)
        assert abs(mpmath.mpf(lo.mid().str(60, radius=False)) - exact) <= abs(exact) * mpmath.mpf(10) ** -25
    assert not lo > hi


def test_a_tower_of_height_three_keeps_its_ends() -> None:
    lo, hi = log_evaluate(sp.exp(A * sp.exp(sp.exp(B))), {"a": (1.0, 0.0), "b": (40.0, 1e-13)})
    assert lo.is_finite() and hi.is_finite() and not lo > hi


def test_a_large_term_does_not_swallow_a_sum() -> None:
    """ln(e^K b + x) with K = e^180: its precision is 260 bits before the point, and a sum that lost it must not be taken for 0."""
    lo, hi = log_evaluate(sp.exp(sp.exp(A)) * B + X, {"a": (180.0, 0.0), "b": (2.0, 0.0), "x": (1e-3, 0.0)})
    with mpmath.workdps(200):
        exact = mpmath.exp(180) + mpmath.log(2)
        for end in (lo, hi):
            assert abs(mpmath.mpf(end.mid().str(150, radius=False)) - exact) <= exact * mpmath.mpf(10) ** -90
    lo, hi = log_evaluate(sp.exp(sp.exp(sp.exp(A))) + X, {"a": (9.0, 0.0), "x": (0.0, 0.0)})
    assert lo > 10**3000 and not hi < lo
    lo, hi = log_evaluate(sp.exp(sp.exp(sp.exp(A))), {"a": (1e4, 0.0)})  # beyond any precision: the widest ends, not 0
    assert lo < 0 and not lo.is_finite() and hi > 0 and not hi.is_finite()


def test_zeros_drop_from_sums_and_win_in_products() -> None:
    numbers = {"a": (0.0, 0.0), "b": (3.0, 0.0), "x": (2.0, 0.0)}
    for expression, value in ((A + B, 3), (sp.sqrt(A) + B * X, 6), (sp.exp(A) + B, 4), (sp.Max(A, B) - 0, 3), (A * sp.exp(B) + X, 2)):
        for end in log_evaluate(expression, numbers):
            assert float(end.mid()) == pytest.approx(math.log(value), rel=1e-12), expression
    assert all(end < 0 and not end.is_finite() for end in log_evaluate(A * B, numbers))


def test_negative_terms_have_no_logarithm() -> None:
    with pytest.raises(ValueError, match="negative"):
        log_evaluate(A - 2, {"a": (5.0, 0.0)})


# --- fields and records


def test_a_field_refuses_other_dtypes_and_wrong_axes() -> None:
    with pytest.raises(TypeError, match="float32"):
        Field(np.zeros(2, dtype=np.float32), np.zeros(()), ("layer",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="axes"):
        Field(np.zeros(2), np.zeros(()), ("time", "layer"))


def test_records_keep_their_keys_in_order_and_are_summarised_by_the_worst() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    claim = _claim()
    spec = {"some": "spec"}
    loose, tight = (_judge(claim, a=number(a), b=number(1.0)) for a in (0.1, 0.5))
    items = [record(claim, j, "plain-flow", spec) for j in (loose, tight, J.Judgement(J.OUT_OF_HYPOTHESIS, reason="no"))]
    for item in items:
        jsonschema.validate(item, RECORD_SCHEMA)
    assert list(items[0]) == list(RECORD_SCHEMA["required"])
    row = summarise(items, {claim.id: claim})["claims"][claim.id]
    assert (row["line"], row["examples"], row["verdict"]) == (2, 2, J.HOLDS)
    assert row["detectable_factor"] == pytest.approx(2.0)


def test_a_bound_far_from_the_measurement_has_no_power() -> None:
    claim = _claim()
    item = record(claim, _judge(claim, a=number(1e-4), b=number(1.0)), "plain-flow", {})
    assert summarise([item], {claim.id: claim})["claims"][claim.id]["verdict"] == "holds, no power"


def test_nearness_orders_towers_below_numbers() -> None:
    assert (
        nearness(-2.0, "linear")
        > nearness(-300.0, "log10")
        > nearness(3.0, "log10log10")
        > nearness(5.0, "log10log10")
        > nearness(None, "linear")
    )
