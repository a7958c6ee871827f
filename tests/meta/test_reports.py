"""A report made of a hand-made run says what the run says, stands alone offline, and is the same bytes each
time.

The run is that of a small synthetic registry: a ladder of three rungs of one label, a tower, an equality, a
slope, a refuted claim and one that was not run. No network is simulated.
"""

import html
import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sympy as sp
from matplotlib import rc_context

from depthlimit.reports import formulas, panels, svg, words
from depthlimit.reports.aggregate import load
from depthlimit.reports.pages import render, write
from depthlimit.reports.records import RunError
from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.difference import Difference
from depthlimit.theory.judgement import Bound, Judgement
from depthlimit.theory.quantity import Quantity
from depthlimit.theory.record import line, record, summarise
from depthlimit.theory.typeset import tex_of

VOCABULARY = {
    q.name: q
    for q in (
        Quantity("gap", r"\|Z_{k+1}-Z_k\|_F", ("batch", "time", "layer"), "difference of successive weights"),
        Quantity("K_sigma", r"K_\sigma", (), "Lipschitz constant of σ", exact=True),
        Quantity("T", "T", (), "horizon", exact=True),
        Quantity("L", "L", (), "depth", exact=True),
        Quantity(
            "energy_rate",
            r"\frac{\mathrm{d}\ell}{\mathrm{d}t}",
            ("batch", "time"),
            "rate of the loss",
            signed=True,
        ),
        Quantity("dissipation", r"\|\dot\theta\|^2", ("batch", "time"), "squared speed"),
        Quantity("gap_slope", r"\mathrm{slope}_L", ("batch",), "extrapolated slope of the gap in $L$", signed=True),
    )
}
GAP, K, T, L, RATE, DISSIPATION, SLOPE = (q.symbol for q in VOCABULARY.values())
ALPHA, BETA = sp.Symbol("alpha", positive=True), sp.Symbol("beta", positive=True)
WHERE = {ALPHA: K * BETA, BETA: sp.exp(K * T)}
TEX = r"\left\| Z_{k+1}^L(t) - Z_k^L(t) \right\|_F \leqslant \frac{C}{L}, \quad t \in [0,T],\ 1 \leqslant k < L"


def gap(edition: str, inputs: str, **keys: Any) -> Claim:
    return Claim(
        "prop3.gap",
        GAP,
        "<=",
        K * sp.exp(ALPHA * T) / L,
        Source("Proposition 3", equation="8", page=5),
        ("clipped-flow",),
        "successive weights differ by $O(1/L)$",
        TEX,
        edition=edition,
        inputs=inputs,
        where=WHERE,
        hypotheses=(Condition("the horizon is $T > 0$", T, ">=", sp.Integer(0)),),
        needs=frozenset({"C2"}),
        tool=Tool.GRONWALL,
        **keys,
    )


CLAIMS = (
    Claim(
        "setting.energy",
        RATE,
        "=",
        -DISSIPATION,
        Source("Setting", "gradient flow", "4", 4),
        ("plain-flow",),
        "the energy identity of (4)",
        r"\frac{\mathrm{d}\ell}{\mathrm{d}t} = -\|\dot\theta\|^2",
        role=Role.IDENTITY,
    ),
    gap("as-printed", "a-priori", scale="log10log10"),
    gap("as-printed", "along-trajectory", scale="log10"),
    gap("as-printed", "instantaneous"),
    Claim(
        "prop3.slope",
        SLOPE,
        "=",
        sp.Integer(-1),
        Source("Proposition 3", page=5),
        ("depth-ladder",),
        "the rate is $1/L$",
        r"\mathcal{O}(1/L)",
        tool=Tool.EXTRAPOLATION,
        premises=("prop3.gap",),
        inputs="along-trajectory",
    ),
    Claim(
        "appD.relu",
        GAP,
        "<=",
        K / L,
        Source("Appendix D", page=37),
        ("relu",),
        "false for ReLU",
        r"\unknown{x} \le 1",
        role=Role.CONTROL,
        expect="relu-corner",
    ),
    Claim("prop9.later", GAP, "<=", K, Source("Proposition 9"), ("local-pl",), "not run here", "x < 1"),
)
REGISTRY = {c.id: c for c in CLAIMS}
WRONG = (
    Difference(
        "d-prop3-gap-factor",
        Source("Proposition 3", "proof", "(8)", 5),
        r"\frac{C}{L}",
        r"\frac{2C}{L}",
        "holds with another constant",
        "None for the rate $1/L$.",
        ("Numerical: a <b> & c.", "Derivation: by hand."),
        "depthlimit explain prop3.gap",
    ),
)
ENERGY, TOWER, LOGS, INSTANT, RATES, RELU, LATER = CLAIMS


def spec(depth: int, width: int, samples: int, seed: int) -> dict[str, Any]:
    return {
        "version": 1,
        "regime": {"kind": "plain-flow"},
        "d": 2,
        "dout": 1,
        "q": 3,
        "m": width,
        "L": depth,
        "n": samples,
        "T": 1.0,
        "times": [0.0, 0.5, 1.0],
        "init": {"kind": "paper", "seed": seed},
    }


def instances() -> list[tuple[dict[str, Any], str]]:
    generated = [(spec(L, m, n, 0), "generated") for L in (4, 8, 16) for m in (2, 8) for n in (1, 5)]
    return [*generated, (spec(8, 4, 3, 7), "data")]


def judgements(i: int, item: Mapping[str, Any]) -> list[tuple[Claim, Judgement]]:
    """What the i-th instance gives; numbers with no short decimal form, so that 17 digits matter."""
    measured = 0.1 / item["L"] * (1 + math.sin(i) / 3)
    at = (("time", i % 3), ("layer", 1))
    return [
        (ENERGY, Judgement("holds", False, -1 - i / 7, (), Bound(0.3, 1e-15), Bound(0.3, 1e-15))),
        (
            TOWER,
            Judgement("holds", False, 12 + i / 9, at, None, Bound(12 + i / 9, 1e-12, "log10log10"), "log10log10"),
        ),
        (
            LOGS,
            Judgement(
                "holds",
                False,
                -5 - i / 3,
                at,
                Bound(math.log10(measured), 1e-9, "log10"),
                Bound(1.0, 0, "log10"),
                "log10",
            ),
        ),
        (
            INSTANT,
            Judgement("holds", i == 0, -0.1 - i / 40, at, Bound(measured, 1e-13), Bound(measured * 1.5, 1e-15)),
        ),
        (RATES, Judgement("holds", False, -0.5, (), Bound(1.0003, 5e-4), Bound(1.0, 0.0))),
        (
            RELU,
            Judgement(
                "violated" if i == 2 else "holds",
                False,
                0.3 if i == 2 else -0.2,
                (),
                Bound(2.0, 0),
                Bound(1.0, 0),
            ),
        ),
    ]


def make(folder: Path, extra: tuple[tuple[Claim, Judgement], ...] = (), **identity: Any) -> Path:
    """A run folder; `extra` judgements are added on the last instance."""
    specs = instances()
    items = [record(c, j, "plain-flow", s) for i, (s, _) in enumerate(specs) for c, j in judgements(i, s)]
    items += [record(c, j, "plain-flow", specs[-1][0]) for c, j in extra]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "records.jsonl").write_text("".join(map(line, items)))
    (folder / "plan.jsonl").write_text("".join(json.dumps({"spec": s, "origin": o}) + "\n" for s, o in specs))
    (folder / "summary.json").write_text(json.dumps(summarise(items, REGISTRY)))
    x = [j / 500 for j in range(1001)]
    curves = [
        {
            "claim": c.id,
            "regime": "plain-flow",
            "origin": "generated",
            "spec": "0123456789ab",
            "axis": "t",
            "x": x,
            "lhs": [0.01 * t for t in x],
            "rhs": [factor * (1 + t) for t in x],
            "label": "",
        }
        for c, factor in ((INSTANT, 0.02), (LOGS, 1e6), (TOWER, 1e300))
    ] + [
        {
            "claim": RATES.id,
            "regime": "depth-ladder",
            "origin": "generated",
            "spec": "0123456789ab",
            "axis": "L",
            "x": [4, 8, 16, 32],
            "lhs": [0.26, 0.126, 0.0625, 0.03125],
            "rhs": None,
            "label": "L=8",
        }
    ]
    (folder / "curves.jsonl").write_text("".join(json.dumps(c) + "\n" for c in curves))
    run = {
        "paper": "arXiv:2309.01213v3",
        "version": "0.1.0",
        "command": ["depthlimit", "verify", "--data", "sklearn:diabetes"],
        "profile": "quick",
        "seed": 0,
        "implementation": "torch",
        "device": "cpu",
        "workers": 1,
        "versions": {"numpy": "2.4"},
        "started": "2024-01-01T00:00:00Z",
        "finished": "2024-01-01T00:00:20Z",
        "only": [],
        "data": {
            "source": "sklearn:diabetes",
            "description": ["20 of 442 rows were drawn.", "Rows have norm √q."],
        },
        "skipped": [{"what": "cuda", "reason": "no CUDA device is visible"}],
        "faults": {
            "faults": {
                "missing-depth-factor": {
                    "meaning": "the 1/L is left out",
                    "of": "implementation",
                    "caught_by": [INSTANT.id, ENERGY.id],
                },
                "float32-inside": {"meaning": "one product in float32", "caught_by": [ENERGY.id]},
            }
        },
    }
    (folder / "run.json").write_text(json.dumps(run | identity))
    return folder


def quoted(page: str) -> str:
    """A page with the quotes around attributes that it is stored without."""
    return re.sub(r"""(?<= )([a-z-]+)=([^\s"'<>]+)(?=[ >])""", r'\1="\2"', page)


def report(folder: Path) -> dict[str, str]:
    """The pages of the folder's report by name."""
    front = write(folder, REGISTRY, VOCABULARY, WRONG)
    assert front == folder / "report" / "index.html"
    return {p.name: quoted(p.read_text(encoding="utf-8")) for p in sorted(front.parent.iterdir())}


def front_of(folder: Path) -> str:
    """The front page alone, which needs no figure."""
    return dict(islice(render(load(folder, REGISTRY), REGISTRY, VOCABULARY), 1))["index.html"]


def text_of(page: str) -> str:
    """A page's words, without figures and formulas."""
    page = re.sub(r"<(svg|math)\b.*?</\1>", " ", page, flags=re.S)
    page = re.sub(r"</?(code|sup|span|a|abbr)\b[^>]*>", "", page)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def sentence_of(page: str) -> str:
    found = re.search(r'<p class="sentence \w+">(.*?)</p>', page, re.S)
    assert found
    return found[1]


def figures_of(page: str) -> list[str]:
    return re.findall(r"<figure>(.*?)</figure>", page, re.S)


class Outline(HTMLParser):
    """Ids, links, tags and attributes of a page; unbalanced tags raise, but for the end tags that HTML implies."""

    VOID = frozenset({"meta", "link", "br", "img", "hr"})
    CELLS, ROWS, ITEMS, TERMS = {"td", "th"}, {"td", "th", "tr"}, {"li"}, {"dt", "dd"}
    OPENS: ClassVar = {"td": CELLS, "th": CELLS, "tr": ROWS, "tbody": ROWS | {"thead", "tbody"}, "li": ITEMS, "dt": TERMS, "dd": TERMS}
    CLOSES: ClassVar = {"table": ROWS | {"thead", "tbody"}, "ul": ITEMS, "ol": ITEMS, "dl": TERMS}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.tags: list[str] = []
        self.feed(page)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.imply(self.OPENS.get(tag, ()))
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def imply(self, ends: Collection[str]) -> None:
        """Close what may stay open."""
        while self.open and self.open[-1] in ends:
            self.open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        self.imply(self.CLOSES.get(tag, ()))
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def pages(run: Path) -> dict[str, str]:
    return report(run)


def test_there_is_a_front_page_a_page_per_statement_constants_and_a_glossary(pages: dict[str, str]) -> None:
    statements = {"setting.html", "prop3.html", "appD.html", "prop9.html"}
    own = {"index.html", "faults.html", "proofs.html", "constants.html", "differences.html", "glossary.html", "style.css"}
    assert pages.keys() == own | statements | {"prop3-proof.html"}


def test_pages_are_well_formed_and_their_links_lead_somewhere(run: Path, pages: dict[str, str]) -> None:
    outlines = {name: Outline(page) for name, page in pages.items() if name.endswith(".html")}
    for name, outline in outlines.items():
        assert len(outline.ids) == len(set(outline.ids)), f"{name}: an id twice"
        for link in outline.links:
            file, _, anchor = link.partition("#")
            target = outlines.get(file or name)
            assert target or (run / "report" / file).is_file(), f"{name}: {link}"
            assert not anchor or (target and anchor in target.ids), f"{name}: no anchor {link}"


def test_the_front_page_leads_to_every_other_and_to_the_data_and_every_page_to_it(pages: dict[str, str]) -> None:
    names = [name for name in pages if name.endswith(".html") and "-proof" not in name]
    assert {"prop3-proof.html"} <= {link for name in ("proofs.html", "prop3.html") for link in Outline(pages[name]).links}
    for name in names:
        files = {link.partition("#")[0] for link in Outline(pages[name]).links}
        data = {f"../{file}" for file in ("records.jsonl", "run.json", "summary.json", "plan.jsonl", "curves.jsonl")}
        assert files >= ({*names, *data} if name == "index.html" else {"index.html"})


def test_pages_need_no_network_no_script_and_no_inline_style(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        assert not re.search(r"(?:src|href|url|@import)\W{1,3}(?:https?:)?//", page), name
        if name.endswith(".html"):
            outline = Outline(page)
            assert not {"script", "style", "iframe", "object"} & set(outline.tags), name
            assert not {a for a in outline.attributes if a == "style" or a.startswith("on")}, name


def test_the_same_results_give_the_same_bytes(pages: dict[str, str], tmp_path: Path) -> None:
    assert report(make(tmp_path)) == pages


def test_the_readers_own_matplotlib_settings_change_nothing(pages: dict[str, str], tmp_path: Path) -> None:
    with rc_context({"font.size": 30, "axes.linewidth": 9, "svg.fonttype": "path", "lines.marker": "x"}):
        assert report(make(tmp_path)) == pages


def test_a_page_of_an_earlier_report_does_not_stay(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "prop99.html").write_text("old")
    assert "prop99.html" not in report(tmp_path)


def test_the_first_sentence_counts_claims_without_power_apart(pages: dict[str, str]) -> None:
    # Without power: the tower, and the rung at 10^-5. With it: energy, the instantaneous rung, the slope.
    assert sentence_of(pages["index.html"]) == (
        "Of 6 claims checked, 3 were not falsified by checks with power, 2 hold without power and count "
        "for nothing and 1 is refuted as registered; nothing came out otherwise than registered."
    )


def test_the_first_sentence_names_what_came_out_otherwise_than_registered(tmp_path: Path) -> None:
    wrong = Judgement("violated", False, 0.5, (), Bound(3.0, 0.0), Bound(1.0, 0.0))
    front = front_of(make(tmp_path, ((INSTANT, wrong),)))
    assert sentence_of(front).startswith(f"Of 6 claims checked, 1 came out otherwise than registered ({INSTANT.id}), 2 were")
    assert "nothing came out" not in front and 'class="sentence bad"' in front
    assert "violated, unexpected" in text_of(front)


def test_undecided_and_unfinished_are_said_first(tmp_path: Path) -> None:
    vague = Judgement("undecided", False, -0.01, (), Bound(1.0, 0.1), Bound(1.0, 0.1))
    front = front_of(make(tmp_path, ((INSTANT, vague),), finished=None))
    assert sentence_of(front).startswith("The run did not finish; on what it recorded: of 6 claims")
    assert "1 is undecided" in sentence_of(front) and 'class="sentence warn"' in front
    assert "(not finished)" in front


def test_a_refutation_that_did_not_come_is_not_passed_over(tmp_path: Path) -> None:
    make(tmp_path)
    lines = (tmp_path / "records.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_text("".join(x for x in lines if '"violated"' not in x))
    front = front_of(tmp_path)
    assert "1 is registered as refuted and not refuted here." in sentence_of(front) and "sentence warn" in front
    plan = (tmp_path / "plan.jsonl").read_text().replace('"generated"', '"corpus"')  # then its witness was there
    (tmp_path / "plan.jsonl").write_text(plan)
    assert "sentence bad" in front_of(tmp_path)


def test_skips_and_claims_without_evidence_stand_before_the_table(pages: dict[str, str]) -> None:
    text = text_of(pages["index.html"])
    above = text[: text.index("Statements")]
    for said in (
        "Holds, no power 2",
        "Not run 1",
        "prop9.later",
        "Skipped 1",
        "no CUDA device is visible",
        "quick, 0",
    ):
        assert said in above, said
    assert "depthlimit verify --data sklearn:diabetes" in above


def test_every_rung_is_a_row_of_the_front_page(pages: dict[str, str]) -> None:
    table = pages["index.html"].split('class="statements"')[1].split("</table>")[0]
    assert table.count("<mark class=") == len(CLAIMS)
    assert "of radii" in table and "10<sup>−10<sup>12</sup></sup>" in table and "not run" in table


def test_real_data_has_its_own_table(pages: dict[str, str]) -> None:
    section = text_of(pages["index.html"].split('id="data"')[1].split("</section>")[0])
    assert "20 of 442 rows were drawn." in section and "Rows have norm √q." in section
    assert f"{INSTANT.id} ✓ holds" in section and LATER.id not in section
    last = len(instances()) * 6  # the instance with data is the last, with six records; the third to last is the instantaneous rung
    assert f" {last - 2}" in section


def test_planted_faults_show_what_catches_them_and_what_only_one_claim_catches(pages: dict[str, str], tmp_path: Path) -> None:
    assert "each was caught" in text_of(pages["index.html"].split('id="faults"')[1])
    matrix, _, alone = text_of(pages["faults.html"]).partition("Caught by one claim only")
    assert "Of 1 wrong implementation, 1 are caught by a claim that is no plain comparison" in matrix
    assert f"{ENERGY.id} float32-inside" in alone and "missing-depth-factor" not in alone
    lost = {"faults": {"half-step": {"meaning": "Euler steps of half the length", "caught_by": []}}}
    assert "1 not caught: half-step" in text_of(front_of(make(tmp_path, faults=lost)))


TRIAL = {
    "implementation": {"name": "theirs <b>", "version": "0.3", "language": "Julia", "activations": ["tanh", "sin"]},
    "sentence": "2 of 9 claims checked on theirs fail.",
    "margins": [
        {**{"method": "forward", "quantity": "hidden", "claims": [INSTANT.id], "records": 7, "exact": 2}, "worst": 4e3, "median": 0.25},
        {**{"method": "loss", "quantity": "loss", "claims": [ENERGY.id], "records": 5, "exact": 5}, "worst": 0.0, "median": 0.0},
    ],
    "printed": [{"method": "forward", "instances": 2, "text": "mind <the> step"}],
    "scoreboard": [
        {"method": "forward", "states": {"checked": 2, "fails": 1}, "margin": 3.5, "reasons": []},
        {"method": "flow", "states": {}, "margin": None, "reasons": ["the implementation has no method flow"]},
    ],
    "causes": [
        {
            "method": "forward",
            "sentence": "the 1/L of (3) is missing",
            "evidence": ["answer/reference = 4 at L = 4"],
            "consequences": ["loss"],
            "blocked": ["gradients"],
            "rivals": [],
        }
    ],
    "failures": [
        {
            **{"claim": INSTANT.id, "method": "forward", "blocked": "", "verdict": "violated", "reason": "", "scale": "linear", "count": 3},
            **{"lhs": 2.0, "lhs_radius": 1e-15, "rhs": 0.5, "rhs_radius": 1e-15, "replay": "depthlimit replay records.jsonl:7"},
            "where": {"batch": 0, "time": None, "layer": 2, "sample": None},
            "printed": [],
        },
        {
            **{
                "claim": ENERGY.id,
                "method": "flow",
                "blocked": "forward",
                "verdict": "errored",
                "reason": "forward: hang",
                "scale": "linear",
            },
            **{"count": 1, "lhs": None, "lhs_radius": None, "rhs": None, "rhs_radius": None, "replay": "x", "where": {}},
            "printed": ["forward printed: mind <the> step"],
        },
    ],
    "sensitivity": [
        {
            **{"method": "loss", "part": "", "entry": "largest", "epsilon": 1e-12},
            **{"by": [INSTANT.id, ENERGY.id], "without_reference": [INSTANT.id]},
        }
    ],
}


def test_an_implementation_has_a_page_of_its_own(tmp_path: Path) -> None:
    folder = make(tmp_path)
    (folder / "oracle.json").write_text(json.dumps(TRIAL))
    curve = {"claim": INSTANT.id, "origin": "corpus", "spec": "0123456789ab", "axis": "errors-k", "label": "L=2"}
    with (folder / "curves.jsonl").open("a") as file:
        file.write(json.dumps({**curve, "x": [0, 1, 2], "lhs": [0.0, 0.5, 3.0], "rhs": [1, 1, 1]}) + "\n")
    found = report(folder)
    assert "errors-" not in found["prop3.html"]
    page = found["implementation.html"]
    text = text_of(page)
    assert "theirs <b>" in text and "language Julia" in text and "activations tanh, sin" in text and "<b>" not in page
    assert "forward: the 1/L of (3) is missing answer/reference = 4 at L = 4 Explains what is wrong in loss too." in text
    assert "2 of 9 claims checked on theirs fail." in text and "forward 2 1 · · · 3.5" in text and "has no method flow" in text
    assert "batch 0, layer 2" in text and "blocked by forward" in text
    assert "forward: hang forward printed: mind <the> step" in text and "forward on 2 instances mind <the> step" in text
    assert "forward hidden 0.25 4000 7" in text and "beyond 1 first at layer 2, at 1 of 3 layers" in text
    assert "1 · 10^-12" not in text and INSTANT.id in text.split("The smallest error that is noticed")[1]
    assert 'href="implementation.html"' in found["index.html"]
    (folder / "oracle.json").write_text(json.dumps({k: v for k, v in TRIAL.items() if k != "causes"}))
    with pytest.raises(RunError, match=r"oracle\.json: without causes"):
        report(folder)


def test_the_worst_case_is_given_to_17_digits_with_its_instance_and_the_command_that_runs_it_again(tmp_path: Path) -> None:
    tighter = Judgement("holds", False, -0.01, (), Bound(1 / 3, 1e-13), Bound(0.34, 1e-15))  # on the last instance, that of real data
    page = report(make(tmp_path, ((INSTANT, tighter),)))["prop3.html"]
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    rows = re.findall(r'<tr><th scope="row">(?:(?!<tr>).)*?href="#instance-\d+">\d+</a>', page, re.S)
    assert len(rows) == sum(c.label.startswith("prop3.") for c in CLAIMS)
    for row in rows:
        ((number, line_number),) = re.findall(r'href="#instance-(\d+)">(\d+)</a>', row)
        record = json.loads(lines[int(line_number) - 1])
        shown = [float(value) for value in re.findall("<code>(.*?)</code>", row)]
        assert shown == [value for value in (record["lhs"], record["rhs"]) if value is not None]
        assert f"{record['edition']},<br>{record['inputs']}" in row
        block = html.unescape(page.split(f'<details id="instance-{number}">')[1].split("</details>")[0])
        assert f"depthlimit replay records.jsonl:{line_number}\n" in block and json.dumps(record["spec"]) in block
    best = max((json.loads(x) for x in lines if f'"inputs":"{INSTANT.inputs}"' in x), key=lambda r: r["log10_tightness"])
    assert f"{best['lhs']:.17g}" in page and page.count('<details id="instance-') == 2


def test_a_definition_is_stated_once_on_a_page_and_named_by_label_and_rung_where_it_is_used_again(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "records.jsonl").write_text("")
    again = replace(INSTANT, label="prop3.again")
    inner = replace(INSTANT, label="prop3.inner", where={ALPHA: K * BETA, BETA: K})  # α reads the same and is another number
    registry = REGISTRY | {c.id: c for c in (again, inner)}
    with svg.defaults():
        page = quoted(dict(render(load(tmp_path, registry), registry, VOCABULARY))["prop3.html"])
    alpha, beta, other = (formulas.definition(s, e, VOCABULARY) for s, e in (*WHERE.items(), (BETA, K)))
    assert [page.count(formula) for formula in (alpha, beta, other)] == [2, 1, 1]
    of_again, of_inner = page.split('id="prop3.again"')[1].split('id="prop3.inner"')
    assert of_again.count('in <a href="#prop3.gap">prop3.gap</a> (as-printed, a-priori)') == 1 and " as in " not in of_inner
    assert page.count("the activation is C2") == 1 and page.count('href="#hypothesis-2"') == 3 and 'id="hypothesis-2"' in page


def test_a_statement_is_shown_as_printed_and_as_computed(pages: dict[str, str]) -> None:
    page = pages["prop3.html"]
    assert "As printed" in page and "eq. 8, p. 5" in page and page.count("As computed") == 2
    assert "Grönwall" in page and "the activation is C2" in page and "clipped-flow" in page
    assert page.count("<math") > 5


def test_a_slope_is_shown_with_its_interval_and_its_sign(pages: dict[str, str]) -> None:
    for name in ("index.html", "prop3.html"):
        assert re.search(r"−1\.000300 5\.0 · 10−4 −1 ✓ holds", text_of(pages[name])), name


def test_each_figure_has_title_description_and_its_numbers(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        drawn = figures_of(page)
        assert bool(drawn) == (name in ("setting.html", "prop3.html", "appD.html")), name
        for one in drawn:
            found = re.search(r'<svg[^>]* aria-labelledby="(.*?) (.*?)" fill="currentColor"[^>]*><title id="(.*?)">[^<]+</title>', one)
            assert found and found[1] == found[3] and f'<figcaption id="{found[2]}">' in one
            assert "<details>" in one and one.count("<tr>") > 1
            assert "#000" not in one, "ink that dark mode does not reach"
            assert set(re.findall(r'(?:fill|stroke)="(.*?)"', one)) <= {"none", "currentColor"}


def test_a_line_is_thinned_and_a_bound_far_above_is_named_instead_of_drawn(pages: dict[str, str]) -> None:
    curve = next(f for f in figures_of(pages["prop3.html"]) if "prop3.gap along time t" in f)
    assert curve.count("<tr>") == 1 + panels.POINTS
    assert "Above the frame: gap: as-printed, a-priori (at least 10^300)" in curve
    points = [len(part) for d in re.findall(r' d="(.*?)"', curve) for part in drawn_points(d)]
    assert 2 < max(points) <= panels.POINTS


def drawn_points(d: str) -> list[list[tuple[float, float]]]:
    """The places that each part of a path passes."""
    parts = []
    for part in re.findall(r"M[^M]+", d):
        x, y, at = 0.0, 0.0, []
        for command, numbers in re.findall(r"([Mhvl])([^Mhvlz]*)", part):
            steps = [float(v) for v in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
            steps = [steps[0], 0.0] if command == "h" else [0.0, steps[0]] if command == "v" else steps
            for right, down in zip(steps[::2], steps[1::2], strict=True):
                x, y = x + right, y + down
                at.append((round(x, 1), round(y, 1)))
        parts.append(at)
    return parts


def paths_of(drawn: str) -> dict[str, str]:
    """The paths of a figure by their attributes."""
    return dict(re.findall(r'<path ([^>]*?) ?d="([^"]*)"/>', drawn))


def test_a_path_is_interrupted_at_gaps_and_leaves_out_only_what_a_level_stretch_passes() -> None:
    with svg.defaults():
        panel = panels.Panel(height=137, left=93, x=(0, 20), y=(0, 10))  # of 10 points per unit
        panel.path([(0, 0), (1, 0), (2, 0), (3, 0), (3, 2), (4.007, 5), None, (6, 1), (9, 1), (7, 1)], panels.look(0, 1))
        panel.area([(0, 0), (1, 0), (1, 1), None, (2, 2), (3, 2), (3, 3)], 2, width=1.2)
        panel.segments([(0, 0), (0, 2), (3, 1), (4, 1)], 3, width=1.2)
        panel.marks([(0, 0), (1, 1)], "s", 4, 4)
        paths = paths_of(panel.drawing("name", "title", "caption", (), ()).svg)
    assert paths['class="s1"'] == "M93 107h30v-20l10.1-30M153 97h30h-20"
    assert paths['class="s2 f2" fill-opacity="0.3"'] == "M93 107h10v-10zM113 87h10v-10z"
    assert paths['class="s3"'] == "M93 107v-20M123 97h10"
    assert paths['class="s4 f4" stroke-width="1"'] == "M91 109h4v-4h-4zM101 99h4v-4h-4z"


def test_letters_drawn_as_curves_are_refused() -> None:
    with svg.defaults(), rc_context({"svg.fonttype": "path"}), pytest.raises(ValueError, match="a curve in a figure"):
        panels.Panel(x=(0, 1), y=(0, 1), x_name="letters").drawing("name", "title", "caption", (), ())


def test_a_point_of_the_data_stands_where_the_ticks_say() -> None:
    with svg.defaults():
        panel = panels.Panel(x=(0.0, 10.0), y=(-1.0, 1.0), x_ticks=[(0.0, "zero"), (10.0, "ten")], y_ticks=[(-1.0, "low"), (1.0, "high")])
        panel.series([(0.0, -1.0), (5.0, 0.0), (10.0, 1.0)], panels.look(0, 1), "line")
        panel.rule(0.0)
        drawn = panel.drawing("name", "title", "caption", (), ()).svg
    across = [float(x) for x in re.findall(r'<text x="([^"]+)" y="[^"]+">(?:zero|ten)<', drawn)]
    paths = {said: drawn_points(d) for said, d in paths_of(drawn).items()}
    grid = paths['class="s0" stroke-width="0.4"']
    up = [grid[2][0][1], grid[3][0][1]]
    assert [line[0][0] for line in grid[:2]] == across and grid[2] == [(across[0], up[0]), (across[1], up[0])]
    middle = (sum(across) / 2, sum(up) / 2)
    line, key = paths['class="s1"']
    assert line == [pytest.approx(at, abs=0.11) for at in ((across[0], up[0]), middle, (across[1], up[1]))] and len(key) == 2
    dots = paths['class="s1" stroke-width="4.5" stroke-linecap="round"']
    assert [dot[0] for dot in dots[:3]] == line and len(dots) == 4 and all(dot[0] == dot[1] for dot in dots)
    assert paths['stroke-width="0.8" stroke-dasharray="3 1.3"'] == [[pytest.approx((x, middle[1]), abs=0.11) for x in across]]
    letters = {word: float(y) for y, word in re.findall(r'y="([^"]+)">(low|high)<', drawn)}
    assert [letters["low"] - up[0], letters["high"] - up[1]] == [pytest.approx(3, abs=1)] * 2


def test_thinning_keeps_both_ends() -> None:
    assert panels.thin(range(5)) == [0, 1, 2, 3, 4]
    many = panels.thin(range(10_001))
    assert len(many) == panels.POINTS and many[0] == 0 and many[-1] == 10_000


def test_no_page_claims_a_proof(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        assert not re.search(r"\b(proved|proven|verified)\b", text_of(page), re.I), name


def test_towers_are_written_as_powers_of_powers() -> None:
    assert words.tightness(22508.25, "log10log10") == "10<sup>−10<sup>22508.2</sup></sup>"
    assert words.side(-1234.5, "log10") == "10<sup>−1234.5</sup>"
    assert words.tightness(-2.0, "linear") == "0.01"
    assert words.number(-3.14159e-7) == "−3.14\u202f·\u202f10<sup>−7</sup>"
    assert words.number(0.0) == "0" and words.number(12345.6) == "12346" and words.number(None) == "–"
    assert words.factor(1 + 3e-13).startswith("1\u202f+\u202f3.0")


def test_unknown_tex_is_shown_as_tex_and_not_wrongly(pages: dict[str, str]) -> None:
    assert r'<code class="tex">\unknown{x} \le 1</code>' in pages["appD.html"]
    assert "<math" in formulas.from_tex(r"\begin{aligned} a &= b \\ c &= d \end{aligned}")
    assert "<code" in formulas.from_tex(r"a & b")
    for big in (r"\Big\| \frac ab \Big\|", r"\bigl\langle \frac ab \bigr\rangle"):
        assert formulas.from_tex(big).count("<mo>") == 2


def test_quantities_are_typeset_by_their_own_letters() -> None:
    assert tex_of(K * sp.exp(T), VOCABULARY) == r"K_\sigma e^{T}"
    assert tex_of(sp.Symbol("D_hat") + sp.Symbol("beta_tilde"), {}) == r"\hat{D} + \tilde{\beta}"


def test_text_of_a_user_is_escaped(tmp_path: Path) -> None:
    data = {"source": "<script>alert(1)</script>", "description": ["a < b & c"]}
    front = front_of(make(tmp_path, data=data))
    assert "&lt;script&gt;" in front and "a &lt; b &amp; c" in front and "<script" not in front


def test_a_last_line_that_is_cut_short_is_left_out_and_said(tmp_path: Path) -> None:
    make(tmp_path)
    with (tmp_path / "records.jsonl").open("a") as file:
        file.write('{"claim":"prop3.g')
    number = len(instances()) * 6 + 1
    assert f"The last line of records.jsonl (line {number}) is cut short" in front_of(tmp_path)


def test_a_summary_that_disagrees_with_the_records_is_reported(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "summary.json").write_text('{"counts": {}, "claims": {}}')
    assert "summary.json disagrees with records.jsonl" in front_of(tmp_path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda x: "{" + x, "records.jsonl:3: not JSON"),
        (lambda x: "[1]\n", "records.jsonl:3: expected a JSON object, got list"),
        (lambda x: x.replace('"lhs":', '"left":'), "records.jsonl:3: a record without lhs"),
        (
            lambda x: x.replace('"holds"', '"passes"'),
            "records.jsonl:3: verdict 'passes'; expected one of holds",
        ),
        (lambda x: x.replace("prop3.gap", "prop3.gone"), "records.jsonl:3: no claim prop3.gone"),
        (lambda x: re.sub(r'"lhs":[^,]+', '"lhs":NaN', x), "records.jsonl:3: not JSON"),
    ],
)
def test_a_broken_record_is_named_by_its_line(tmp_path: Path, edit: Any, message: str) -> None:
    make(tmp_path)
    lines = (tmp_path / "records.jsonl").read_text().splitlines(keepends=True)
    lines[2] = edit(lines[2])
    (tmp_path / "records.jsonl").write_text("".join(lines))
    with pytest.raises(RunError, match=re.escape(message)):
        load(tmp_path, REGISTRY)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.pop("x"), "curves.jsonl:2: not a curve"),
        (lambda c: c["lhs"].pop(), "curves.jsonl:2: x, lhs and rhs differ in length"),
    ],
)
def test_a_broken_curve_is_named_by_its_line(tmp_path: Path, edit: Any, message: str) -> None:
    make(tmp_path)
    curves = [json.loads(x) for x in (tmp_path / "curves.jsonl").read_text().splitlines()]
    edit(curves[1])
    (tmp_path / "curves.jsonl").write_text("".join(json.dumps(c) + "\n" for c in curves))
    with pytest.raises(RunError, match=re.escape(message)):
        load(tmp_path, REGISTRY)


def test_curves_without_positive_values_and_with_signed_ones_are_drawn_or_left_out(tmp_path: Path) -> None:
    make(tmp_path)
    common = {"regime": "plain-flow", "origin": "data", "spec": "0123456789ab", "label": "", "x": [0, 1, 2]}
    curves = [
        {"claim": INSTANT.id, "axis": "k", "lhs": [0, 0, None], "rhs": [0, 0, 0], **common},
        {"claim": ENERGY.id, "axis": "t", "lhs": [-2.0, -1.0, 0.5], "rhs": [-2.0, -1.0, 0.5], **common},
    ]
    (tmp_path / "curves.jsonl").write_text("".join(json.dumps(c) + "\n" for c in curves))
    pages = report(tmp_path)
    assert "prop3.gap along" not in pages["prop3.html"]
    assert "setting.energy along time t" in pages["setting.html"] and "of real data" in pages["setting.html"]


def test_local_slopes_stand_beside_a_curve_against_depth(pages: dict[str, str]) -> None:
    figure = next(f for f in figures_of(pages["prop3.html"]) if "prop3.slope along depth L" in f)
    assert "local slope of the first" in figure
    assert f"−{math.log2(0.126 / 0.0625):.5f}" in figure and "−1.00000" in figure


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a folder that `verify` wrote"):
        write(tmp_path, REGISTRY, VOCABULARY)
    assert not (tmp_path / "report").exists()


def test_a_run_without_any_record_says_that_nothing_was_checked(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "records.jsonl").write_text("")
    (tmp_path / "curves.jsonl").unlink()
    assert "nothing was checked" in sentence_of(front_of(tmp_path)).lower()


def test_the_registered_claims_have_pages_too(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "records.jsonl").write_text("")
    (tmp_path / "curves.jsonl").unlink()
    front = write(tmp_path)
    for page in front.parent.glob("*.html"):
        Outline(page.read_text(encoding="utf-8"))
