"""The registry is whole: what a claim needs is measured, and some instance meets what it assumes."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from depthlimit.conformance import faults
from depthlimit.models import activations, check
from depthlimit.models.corpus import WITNESSES, corpus
from depthlimit.models.measure.registry import measured, measures
from depthlimit.models.strategies import GENERATED, SMOOTH
from depthlimit.reports.formulas import computed, definition, from_tex
from depthlimit.theory import registry
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.claim import Claim

ROOT = Path(__file__).parents[2]
LAST_PAGE = 40  # of arXiv:2309.01213v3
CLAIMS = registry.claims()
QUANTITIES = registry.quantities()
STATEMENTS = sorted({claim.label.partition(".")[0] for claim in CLAIMS})
each = pytest.mark.parametrize("found", [[c for c in CLAIMS if c.label.partition(".")[0] == name] for name in STATEMENTS], ids=STATEMENTS)


@pytest.mark.parametrize(("folder", "registers"), [("theory/paper", "register"), ("models/measure", "measures")])
def test_a_module_that_registers_something_is_imported_by_its_package(folder: str, registers: str) -> None:
    """A module that is left out registers nothing, and nobody misses it."""
    modules = {path.stem for path in (ROOT / folder).glob("*.py") if _imports(path, registers)}
    assert modules and modules <= _imports(ROOT / folder / "__init__.py")


def _imports(path: Path, wanted: str = "") -> set[str]:
    """The names that a module imports from others, or that one if it does."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in nodes for alias in node.names}
    return names & {wanted} if wanted else names


def test_every_symbol_of_every_claim_is_measured_in_each_of_its_regimes() -> None:
    assert check.unmeasured() == []


def test_a_symbol_that_nothing_measures_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check.RUNS, "depth-ladder", int)
    assert ("prop3.rate[sharpened,along-trajectory]", "slope_gap") in check.unmeasured()


def test_every_quantity_stands_in_some_claim() -> None:
    assert QUANTITIES.keys() == {name for claim in CLAIMS for name in claim.symbols()}


def test_a_measure_of_what_theory_does_not_list_is_refused() -> None:
    with pytest.raises(ValueError, match="no quantity of the theory"):
        measures("unheard_of", on=int)(lambda run: run)


@pytest.mark.parametrize(
    "name",
    [
        *("start", "clipped", "tight-ode", "iid", "ladder", "certificate", "general", "ball-diagonal", "long", "family-planar"),
        *("matrix-mean", "chain", "smooth-chain", "toys", "sum-norm", "cube", "relu-chains", "limit", "limit-general", "double"),
        *("kernel-tanh", "kernel-one", "kernel-narrow", "kernel-copies", "map-plane", "map-sine", "map-perceptron"),
    ],
)
def test_fields_have_the_axes_and_the_sign_that_theory_declares(name: str) -> None:
    """One run of each type; `signed` decides what SymPy may assume of a symbol."""
    fields = faults._fields(name)
    for quantity in (q for q in QUANTITIES.values() if measured(q.name, type(fields.run))):
        field = fields[quantity.name]
        assert field.axes == quantity.axes, quantity.name
        assert np.all(np.isfinite(field.radius)) or np.isinf(field.values).any(), quantity.name
        if not (quantity.signed or field.vector):
            assert np.all(field.values >= 0), quantity.name


def test_names_of_claims_are_unique() -> None:
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    with pytest.raises(ValueError, match="registered already"):
        registry.register(CLAIMS[0])


def test_a_claim_with_an_unknown_symbol_or_premise_is_refused() -> None:
    claim = CLAIMS[0]
    with pytest.raises(ValueError, match="premises"):
        registry.register(replace(claim, label="new.one", premises=("new.missing",)))
    with pytest.raises(ValueError, match="no quantity is named"):
        registry.register(replace(claim, label="new.two", rhs=claim.rhs + type(claim.lhs)("unheard_of")))


def test_claims_of_one_label_are_of_one_item_of_the_paper() -> None:
    items: dict[str, set[str]] = {}
    for claim in CLAIMS:
        items.setdefault(claim.label, set()).add(claim.source.item)
    assert not {label: found for label, found in items.items() if len(found) > 1}


@each
def test_a_claim_says_where_it_stands_and_what_it_says(found: list[Claim]) -> None:
    for claim in found:
        page = claim.source.page
        assert page is None or 1 <= page <= LAST_PAGE, claim.id
        assert page is not None or claim.edition != "as-printed", f"{claim.id}: what is printed is printed on some page"
        assert claim.source.item and claim.meaning.endswith("."), claim.id


@each
def test_a_claim_can_be_typeset_as_printed_and_as_computed(found: list[Claim]) -> None:
    for claim in found:
        assert claim.tex.strip(), claim.id
        constants = [definition(symbol, value, QUANTITIES) for symbol, value in claim.where.items()]
        assert all("<math" in formula for formula in [from_tex(claim.tex), computed(claim, QUANTITIES), *constants]), claim.id


def test_quantities_can_be_typeset() -> None:
    assert not [q.name for q in QUANTITIES.values() if "<math" not in from_tex(q.latex) or not q.meaning]


@each
def test_some_instance_of_every_regime_of_a_claim_meets_what_it_needs_of_the_activation(found: list[Claim]) -> None:
    """Hypotheses on numbers take a run: `test_corpus` fails where no instance of the corpus meets them."""
    for claim in found:
        met = [spec for spec in corpus() if claim.needs <= CATALOGUE[spec.activation.name].properties]
        fixed = {spec.regime.kind for spec in met}
        assert fixed & set(claim.regimes), claim.id
        assert set(claim.regimes) <= fixed | set(GENERATED), claim.id


def test_every_regime_has_a_run_and_every_run_a_claim() -> None:
    assert {regime for claim in CLAIMS for regime in claim.regimes} == check.RUNS.keys()
    assert {spec.regime.kind for spec in corpus()} | set(GENERATED) == check.RUNS.keys()


def test_a_refuted_claim_has_a_witness_of_its_regime_and_a_corrected_edition() -> None:
    refuted = [claim for claim in CLAIMS if claim.expect is not None]
    assert {claim.expect for claim in refuted} == WITNESSES.keys()
    for claim in refuted:
        witness = WITNESSES[str(claim.expect)]
        assert witness in corpus() and witness.regime.kind in claim.regimes
        assert claim.note
        assert [c for c in CLAIMS if c.label == claim.label and c.edition == "corrected" and c.expect is None]


@each
def test_the_risk_of_a_claim_is_a_probability(found: list[Claim]) -> None:
    for claim in found:
        if claim.risk is not None:
            assert 0 < float(claim.risk.subs(dict.fromkeys(claim.risk.free_symbols, 2))) < 1, claim.id


def test_an_activation_is_known_to_all_implementations_and_drawn_if_the_paper_allows_it() -> None:
    from depthlimit.models.implementation import load
    from depthlimit.models.torch_implementation import TorchImplementation

    assert set(TorchImplementation.activations) == set(load("compiled").activations) == CATALOGUE.keys()
    for name in CATALOGUE:
        assert activations.value({"name": name, "a": 1.0, "b": 1.0}, np.zeros(1)) == 0
    smooth = {"C2", "lipschitz", "zero-at-zero"}
    assert set(SMOOTH) == {name for name, phi in CATALOGUE.items() if smooth <= phi.properties}
