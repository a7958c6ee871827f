"""The proof pages tell what rests on what, and where decades are lost, as the records have it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

from depthlimit.models.corpus import CLIPPED, EULER, PLAIN
from depthlimit.models.verify import make_plan, prepare
from depthlimit.models.verify import run as verify
from depthlimit.reports import arcs, waterfall, words
from depthlimit.reports.aggregate import Point, Result, load
from depthlimit.reports.chain import by_label, chain, has_proof, tight, waterfalls
from depthlimit.reports.pages import write
from depthlimit.reports.proofs import Proof
from depthlimit.reports.records import RunError, read_constants
from depthlimit.reports.svg import defaults
from depthlimit.reports.views import statements
from depthlimit.theory import registry
from depthlimit.theory.claim import Claim, Role, Source

x, y = sp.Symbol("x", nonnegative=True), sp.Symbol("y", nonnegative=True)
REGISTRY = {c.id: c for c in registry.claims()}


def claim(label: str, *premises: str, role: Role = Role.STEP, relation: str = "<=", **more: Any) -> Claim:
    values = {"inputs": "instantaneous", "premises": premises, "role": role, **more}
    return Claim(label, x, relation, y, Source("Proposition 0", page=1), ("plain-flow",), "A step.", "x < y", **values)


def result(c: Claim, *ratios: float | None, verdict: str = "holds", expected: bool = True) -> Result:
    """A result whose record on the i-th instance has this log10 ratio (of towers: its own log10), if any."""
    points = [Point(r, 1, 1, 1, None, i) for i, r in enumerate(ratios) if r is not None]
    worst = max((p.value for p in points), default=None)
    row = {"verdict": verdict, "as_expected": expected, "log10_tightness": worst, "scale": c.scale, "verdicts": {verdict: len(points)}}
    return Result(c, row, points)


def labels(*results: Result) -> dict[str, list[Result]]:
    out: dict[str, list[Result]] = {}
    for r in results:
        out.setdefault(r.claim.label, []).append(r)
    return out


FIRST, EQUAL = claim("p0.first"), claim("eq0.equal", relation="=")
MIDDLE = claim("p0.middle", "p0.first", "eq0.equal")
BY_HAND = labels(
    result(FIRST, -0.5, -0.25),
    result(EQUAL, -3.0, -3.0),
    result(claim("other.apart"), -0.1, -0.1),
    result(MIDDLE, -1.0, -2.0),
    result(replace(MIDDLE, edition="sharpened"), -0.01, -0.02),
    result(claim("p0.end", "p0.middle", role=Role.RESULT, inputs="a-priori", scale="log10log10"), 12.0, 400.0),
    result(claim("p0.end", "p0.middle", role=Role.RESULT, inputs="along-trajectory"), None, -3.0),
)
OWN = [label for label in BY_HAND if label.startswith("p0.")]


def test_a_chain_holds_what_a_statement_rests_on_premises_first() -> None:
    nodes = chain(BY_HAND, OWN)
    assert [node.label for node in nodes] == ["p0.first", "eq0.equal", "p0.middle", "p0.end"]
    assert [node.premises for node in nodes] == [(), (), (0, 1), (2,)] and [node.own for node in nodes] == [True, False, True, True]
    assert all(p < i for i, node in enumerate(nodes) for p in node.premises)


def test_the_registered_chains_are_complete_and_in_order() -> None:
    found = {
        key: Result(c, {"verdict": "not run", "as_expected": True, "log10_tightness": None, "scale": c.scale})
        for key, c in REGISTRY.items()
    }
    groups = labels(*found.values())
    for prefix in {label.partition(".")[0] for label in groups}:
        own = [label for label in groups if label.partition(".")[0] == prefix]
        nodes = chain(groups, own)
        place = {node.label: i for i, node in enumerate(nodes)}
        assert set(own) <= place.keys()
        for i, node in enumerate(nodes):
            wanted = {p for r in node.results for p in r.claim.premises}
            assert {nodes[p].label for p in node.premises} == wanted
            assert all(place[p] < i for p in wanted), f"{node.label} stands above one of {wanted}"


def test_a_waterfall_takes_the_instance_with_most_losses_and_the_prints_own_rungs() -> None:
    (fall,) = waterfalls(chain(BY_HAND, OWN))
    assert fall.label == "p0.end" and fall.unit == 1  # the second has a rung more
    assert [(s.result.claim.id, s.decades) for s in fall.steps] == [
        ("p0.first[as-printed,instantaneous]", pytest.approx(0.25)),
        ("p0.middle[as-printed,instantaneous]", pytest.approx(2.0)),
    ]
    along, tower = fall.totals
    assert along.decades == pytest.approx(3.0) and tower.log10 == 400.0 and tower.decades == math.inf


def test_a_result_in_the_chain_holds_what_was_lost_before_it_and_is_no_step() -> None:
    more = labels(
        *(r for rs in BY_HAND.values() for r in rs), result(claim("p1.end", "p0.end", role=Role.RESULT, inputs="a-priori"), None, -5.0)
    )
    (fall,) = waterfalls(chain(more, ["p1.end"]))
    assert [s.result.claim.label for s in fall.steps] == ["p0.first", "p0.middle"]
    assert [t.result.claim.id for t in fall.totals] == ["p0.end[as-printed,along-trajectory]", "p1.end[as-printed,a-priori]"]


def test_equalities_lose_nothing_and_a_chain_without_losses_has_no_waterfall() -> None:
    alone = labels(result(EQUAL, -3.0), result(claim("p0.end", "eq0.equal", role=Role.RESULT), -1.0))
    assert waterfalls(chain(alone, ["p0.end"])) == []
    assert not has_proof(alone["eq0.equal"]) and has_proof(alone["p0.end"])


def test_a_step_is_tight_within_a_tenth_of_its_bound() -> None:
    nodes = chain(BY_HAND, OWN)
    assert tight(nodes) == 1  # the middle, by its sharpened rung; the equality and the tower do not count


def test_the_graph_says_verdict_and_ratio_in_words_beside_the_colour() -> None:
    shown = [*(r for rs in BY_HAND.values() for r in rs), result(claim("p0.bad", "p0.end"), 0.3, verdict="violated", expected=False)]
    graph = arcs.draw(chain(labels(*shown), [*OWN, "p0.bad"]), lambda label: f"p0.html#{label}", "p0-graph", "a < b")
    text = re.sub(r"<[^>]+>", "|", graph)
    assert re.findall(r'class="arc" d="(.*?)"', graph)[0].count("M") == 4 and "a &lt; b" in graph and 'href="p0.html#p0.bad"' in graph
    for said in ("1. p0.first", "3. p0.middle", "✓ holds", "✗ violated", "equality", "0.977"):
        assert f"|{said}|" in text, said
    assert "style=" not in graph and 'class="mood bad"' in graph


def test_a_refuted_edition_does_not_stand_for_its_label() -> None:
    wrong = replace(FIRST, expect="some-witness")
    (node,) = chain(labels(result(wrong, 9.0, verdict="refuted"), result(replace(FIRST, edition="corrected"), -1.0)), ["p0.first"])
    assert node.best.row["verdict"] == "holds"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    verify(make_plan(specs=[CLIPPED[0], PLAIN[0], EULER[1]], implementation="numpy"), out)
    write(out)
    return out


def test_the_proof_of_proposition_7_loses_what_its_records_say(run: Path) -> None:
    loaded = load(run, REGISTRY)
    groups = by_label(loaded)
    (fall,) = [w for w in waterfalls(chain(groups, [x for x in groups if x.startswith("prop7.")])) if w.label == "prop7.gap"]
    lines = [json.loads(text) for text in (run / "records.jsonl").read_text().splitlines()]
    spec = loaded.units[fall.unit].spec
    assert lines[loaded.units[fall.unit].line - 1]["spec"] == spec
    for loss in (*fall.steps, *fall.totals):
        key = loss.result.claim
        (item,) = [
            i for i in lines if (i["claim"], i["edition"], i["inputs"]) == (key.label, key.edition, key.inputs) and i["spec"] == spec
        ]
        expected = math.log10(-item["log10_tightness"]) if item["scale"] != "log10log10" else item["log10_tightness"]
        assert loss.log10 == pytest.approx(expected, rel=1e-12)
    assert "prop7.gap-rate" in {s.result.claim.label for s in fall.steps}
    assert {t.result.claim.inputs for t in fall.totals} >= {"a-priori", "along-trajectory"}


def test_a_drawing_has_every_loss_in_its_table(run: Path) -> None:
    loaded = load(run, REGISTRY)
    page = next(p for p in statements(loaded) if p.prefix == "prop7")
    with defaults():
        drawings = Proof.of(loaded, page).drawings(loaded)
    for drawing, fall in zip(drawings, waterfalls(Proof.of(loaded, page).nodes), strict=True):
        assert [row[1] for row in drawing.rows] == [loss.result.claim.id for loss in (*fall.steps, *fall.totals)]
        assert f"line {loaded.units[fall.unit].line}" in drawing.caption


def test_pages_lead_from_statements_to_proofs_and_from_steps_to_worst_cases(run: Path) -> None:
    report = {p.name: p.read_text(encoding="utf-8") for p in (run / "report").glob("*.html")}
    assert "href=prop7-proof.html" in report["prop7.html"] and "href=prop7-proof.html" in report["proofs.html"]
    proof = report["prop7-proof.html"]
    for label in ("prop7.gap", "prop7.gap-rate", "prop7.norm-Z", "eq15.V"):
        page = f"{label.partition('.')[0]}.html"
        assert f"href={page}#{label}" in proof and f"id={label}" in report[page]
    assert proof.count("<mark class=") > 10 and "Grönwall" in proof


def test_steps_are_shown_rung_by_rung_and_those_of_other_statements_by_the_rung_that_shows_most(run: Path) -> None:
    loaded = load(run, REGISTRY)
    proof = Proof.of(loaded, next(p for p in statements(loaded) if p.prefix == "prop7"))
    shown = [[row["claim"] for row in rungs] for _, rungs in proof.steps(loaded)]
    expected = [[r.claim for r in node.results] if node.own else [node.best.claim] for node in proof.nodes]
    assert shown == expected and {len(rungs) for node, rungs in zip(proof.nodes, shown, strict=True) if node.own} > {1}


def test_constants_and_differences_have_pages(run: Path) -> None:
    constants = (run / "report" / "constants.html").read_text(encoding="utf-8")
    rows = [row for table in read_constants(run) for row in table["constants"]]
    assert constants.count("<tr><th scope=row>") >= len(rows)
    for row in rows:
        if row["lower"] is not None and row["kind"] == "definition":
            assert f"{row['lower']:.17g}" in constants, row["name"]
    differences = (run / "report" / "differences.html").read_text(encoding="utf-8")
    assert "d-eq13-transpose" in differences and differences.count("As printed") == differences.count("Corrected") > 3


def test_a_run_that_did_not_finish_has_no_constants_and_broken_ones_are_refused(tmp_path: Path) -> None:
    prepare(make_plan(specs=[CLIPPED[0]], implementation="numpy"), tmp_path / "out", resume=False)
    assert read_constants(tmp_path / "out") == []
    for text in ("{", "[1]", '[{"regime": "plain-flow", "spec": {}}]', '[{"regime": "r", "spec": {}, "constants": [{}]}]'):
        (tmp_path / "out" / "constants.json").write_text(text)
        with pytest.raises(RunError, match=r"constants\.json"):
            read_constants(tmp_path / "out")


def test_decades_beyond_a_float_are_written_as_powers() -> None:
    loss = waterfall.Loss(result(FIRST, -0.5), 22508.25)
    assert waterfall.decades_text(loss) == "10^22508" and waterfall.decades_text(replace(loss, log10=0.5)) == "3.2"
    assert words.power(22508.25) == "10<sup>22508.2</sup>"
