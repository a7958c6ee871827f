"""The constants of the command and of a run are those of the claims, enclosed, and bad input is refused."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sympy as sp

from depthlimit.cli import main
from depthlimit.listings import specs_of, value_text
from depthlimit.models.constants import table, tables
from depthlimit.models.corpus import CLIPPED, EULER, corpus
from depthlimit.models.spec import Spec
from depthlimit.models.verify import make_plan
from depthlimit.models.verify import run as verify
from depthlimit.theory import registry
from depthlimit.theory.constants import CONSTANTS_SCHEMA, KINDS, enclose, listed
from depthlimit.theory.quantity import Quantity, number

FLOW, ODE = (table(spec) for spec in specs_of({}))


def value(found: dict[str, Any], name: str, item: str, inputs: str = "a-priori", edition: str | None = None) -> dict[str, Any]:
    rows = [r for r in found["constants"] if (r["name"], r["item"], r["inputs"]) == (name, item, inputs)]
    (row,) = [r for r in rows if edition in (None, r["edition"])]
    return row


def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["depthlimit", "constants", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    out = capsys.readouterr()
    return int(stop.value.code or 0), out.out, out.err


def test_every_constant_of_the_finite_time_part_is_listed() -> None:
    for item in ("Proposition 7", "Proposition 3"):
        names = {r["name"] for r in FLOW["constants"] if r["item"] == item and r["inputs"] == "a-priori"}
        assert {"M", "K_1", "K_2", "K", "K'", "H_E", "alpha", "beta"} <= names, item
    assert {"M0_sum", "M_pi", "M_X", "M_Y", "T", "M_sigma", "K_sigma", "S2"} <= {r["name"] for r in FLOW["constants"]}
    assert {"C_Theta", "C_tilde", "C", "C_1", "C_2", "D", "prop2.output"} <= {r["name"] for r in ODE["constants"]}
    assert {r["kind"] for r in FLOW["constants"]} == set(KINDS)


def test_every_definition_that_is_one_number_is_listed_once_for_all_its_claims() -> None:
    vocabulary = registry.quantities()
    for found in (FLOW, ODE):
        for claim in registry.claims(regime=found["regime"]):
            for symbol in claim.where:
                if claim.inputs != "instantaneous" and all(not vocabulary[n].axes for n in claim.names(symbol)):
                    rows = [r for r in found["constants"] if r["name"] == symbol.name and claim.id in r["claims"]]
                    assert len(rows) == 1 and rows[0]["definition"], (claim.id, symbol)


def test_values_are_those_of_the_formulas_in_the_paper() -> None:
    """The example of q = m = 4, T = 1 and a coordinate clip of 1/4, by hand in logarithms: K of Proposition 3 is 10^(10^22508)."""
    M, kappa = 0.25 * 2 * 4 + 2 * 4, 0.25
    K1 = kappa * M**2 / 4
    H = math.exp(K1) * M * 2
    K = kappa * M * H
    K22 = M * 4 / (3 * math.sqrt(3)) * H**2 / (4 * 2) + kappa * H
    assert [value(FLOW, name, "Proposition 3")["lower"] for name in ("M", "K_1", "H_E", "K", "K'")] == pytest.approx(
        [M, K1, H, K, K22], rel=1e-12
    )
    alpha = (math.log(2 * K22 * M) + K + math.log(M**2 * 2) + K) / math.log(10)  # M_Y is nothing beside e^K
    row = value(FLOW, "alpha", "Proposition 3")
    assert row["scale"] == "log10" and row["lower"] <= row["upper"] and row["lower"] == pytest.approx(alpha, rel=1e-12)
    tower = value(FLOW, "prop3.gap", "Proposition 3")
    assert tower["scale"] == "log10log10" and tower["lower"] == pytest.approx(alpha - math.log10(math.log(10)), rel=1e-9)
    assert 22508 < tower["lower"] <= tower["upper"] < 22509


def test_bounds_agree_with_those_of_the_claims() -> None:
    spec = EULER[0]
    found = table(spec)
    for claim in registry.claims("prop2.output"):
        bound = claim.bound(spec)
        row = value(found, claim.label, "Proposition 2", claim.inputs, claim.edition)
        scale = {"linear": row["lower"], "log10": math.log10(row["lower"])}[bound.scale]
        assert abs(scale - bound.value) <= bound.radius + 2e-2 * abs(bound.value), claim.id
        low, high = ({"linear": v, "log10": math.log10(v)}[bound.scale] for v in (row["lower"], row["upper"]))
        assert low - 1e-9 <= bound.value <= high + 1e-9


def test_an_enclosure_holds_the_number_whatever_the_scale() -> None:
    x, y = sp.Symbol("x", nonnegative=True), sp.Symbol("y", nonnegative=True)
    fields = {"x": number(3.0, 0.5)}
    for expression, scale, expected in (
        (x**2, "linear", 9.0),
        (sp.exp(x) - 1, "linear", math.expm1(3.0)),
        (sp.exp(sp.exp(2 * x)), "log10", math.exp(6) / math.log(10)),
        (sp.exp(sp.exp(sp.exp(x))), "log10", None),
        (sp.exp(sp.exp(100 * x)), "log10log10", (300 - math.log(math.log(10))) / math.log(10)),
        (sp.exp(-x), "linear", math.exp(-3)),
    ):
        found, low, high = enclose(y, fields, {y: expression})
        if expected is not None:
            assert found == scale and low <= expected <= high, expression
    assert enclose(x, {"x": number(0.0)}, {}) == ("linear", 0.0, 0.0)
    assert enclose(y, {"x": number(math.inf)}, {y: x + 1})[2] == math.inf


def test_a_symbol_with_axes_is_no_constant() -> None:
    vocabulary = registry.quantities()
    names = {c.name for c in listed(registry.claims("prop7.gap-rate"), vocabulary) if c.kind != "quantity"}
    assert names == {"kappa"}
    assert isinstance(vocabulary["q"], Quantity)


def test_an_activation_without_a_finite_constant_has_infinite_rows_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = cli(monkeypatch, capsys, "--activation", "relu", "--inputs", "a-priori", "--json")
    assert status == 0
    found = json.loads(out)
    jsonschema.validate(found, CONSTANTS_SCHEMA)
    row = value(found[0], "alpha", "Proposition 7")
    assert row["upper"] is None and row["reason"] == "" and value_text(row) == "infinite"


def test_the_command_prints_json_that_follows_its_schema_and_text_with_every_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, _ = cli(monkeypatch, capsys, "--json", "--q", "3", "--a", "2", "--radius", "0.1", "--seed", "4", "--L", "2", "--T", "0.1")
    found = json.loads(out)
    jsonschema.validate(found, CONSTANTS_SCHEMA)
    assert status == 0 and [t["regime"] for t in found] == ["clipped-flow", "euler-scheme"]
    assert all(t["spec"]["q"] == 3 and t["spec"]["activation"]["a"] == 2.0 and t["spec"]["data"]["seed"] == 4 for t in found)
    assert found[0]["spec"]["clip"] == {"kind": "coordinate", "radius": 0.1} and found[0]["spec"]["L"] == 2
    _, text, _ = cli(monkeypatch, capsys, "--q", "3", "--a", "2", "--radius", "0.1", "--seed", "4", "--L", "2", "--T", "0.1")
    for t in found:
        for row in t["constants"]:
            assert f"    {row['name']:<12} {value_text(row)}" in text
    (tmp_path / "spec.json").write_text(json.dumps([CLIPPED[0].to_json()]))
    status, out, _ = cli(monkeypatch, capsys, "--spec", str(tmp_path / "spec.json"), "--json")
    assert status == 0 and json.loads(out) == [table(CLIPPED[0])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--activation", "relus"), "--activation relus: Input should be 'identity'"),
        (("--a", "0"), "--a 0.0: Input should be greater than 0"),
        (("--b", "inf"), "--b inf: Input should be a finite number"),
        (("--q", "0"), "--q 0: Input should be greater than or equal to 1"),
        (("--q", "1", "--d", "3"), "q >= max(d, dout) is assumed in Section 3, got q=1, d=3"),
        (("--q", "four"), "'--q'"),
        (("--T", "-1"), "--T -1.0: Input should be greater than 0"),
        (("--L", "0"), "--L 0: Input should be greater than or equal to 1"),
        (("--clip", "hard"), "--clip hard: Input should be 'coordinate', 'radial' or 'smooth'"),
        (("--radius", "0"), "--radius 0.0: Input should be greater than 0"),
        (("--init", "iid"), "--init iid: accepted are paper, gp, fourier"),
        (("--seed", "-1"), "--seed -1: Input should be greater than or equal to 0"),
        (("--label-scale", "-1"), "--label-scale -1.0: Input should be greater than or equal to 0"),
        (("--inputs", "instantaneous"), "--inputs instantaneous: accepted are a-priori, along-trajectory"),
        (("--spec", "absent.json"), "absent.json: cannot be read"),
        (("--spec", "absent.json", "--q", "3"), "leave out --q"),
    ],
)
def test_bad_input_ends_with_2_and_names_argument_value_and_what_is_accepted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    status, out, errors = cli(monkeypatch, capsys, *arguments)
    assert status == 2 and out == "" and message in errors, errors


def test_a_run_holds_the_constants_of_the_first_instance_of_each_regime(tmp_path: Path) -> None:
    specs = [CLIPPED[0], CLIPPED[1], EULER[1]]
    written = []
    for folder in ("a", "b"):
        verify(make_plan(specs=specs, implementation="numpy", only=("prop7", "prop2")), tmp_path / folder)
        written.append((tmp_path / folder / "constants.json").read_bytes())
    found = json.loads(written[0])
    jsonschema.validate(found, CONSTANTS_SCHEMA)
    assert written[0] == written[1]
    assert [Spec.model_validate(t["spec"]) for t in found] == [CLIPPED[0], EULER[1]]
    assert {r["item"] for t in found for r in t["constants"]} == {"Section 3", "Section B", "Proposition 7", "Proposition 2"}


def test_no_constant_of_the_corpus_is_without_a_value() -> None:
    for found in tables(corpus()):
        assert not [r["name"] for r in found["constants"] if r["reason"]], found["regime"]
        for row in found["constants"]:
            if row["lower"] is not None and row["upper"] is not None:
                assert row["lower"] <= row["upper"], row["name"]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"lower": 1.0, "upper": 1.0 + 1e-12, "scale": "linear"}, "1"),
        ({"lower": 1.0, "upper": 2.0, "scale": "linear"}, "1 .. 2"),
        ({"lower": 22508.25, "upper": 22508.25, "scale": "log10log10"}, "10^(10^22508.25)"),
        ({"lower": None, "upper": None, "scale": "linear"}, "infinite"),
        ({"lower": 0.5, "upper": None, "scale": "linear"}, "0.5 .. infinite"),
        ({"lower": None, "upper": None, "scale": "linear", "reason": "RuntimeError: no"}, "? (RuntimeError: no)"),
    ],
)
def test_an_enclosure_is_written_as_short_as_it_is_narrow(row: dict[str, Any], text: str) -> None:
    assert value_text({"reason": "", **row}) == text
