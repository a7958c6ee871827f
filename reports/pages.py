"""The report: a folder of static pages made from a run's files.

`write(folder)` makes `report/index.html`, a page per statement and one of its proof, `proofs.html`, `constants.html`,
`differences.html`, `glossary.html`, `style.css`, and where the run has them `faults.html` and `implementation.html`.
The pages need no network, no script and no inline style, and the same results give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from depthlimit.reports import formulas, proofs, ratios, svg, tables, trial, views, words
from depthlimit.reports.aggregate import NOT_RUN, Result, Run, load
from depthlimit.reports.glossary import TERMS
from depthlimit.theory.claim import Claim
from depthlimit.theory.difference import Difference, differences
from depthlimit.theory.judgement import HOLDS, OUT_OF_HYPOTHESIS, UNDECIDED, UNSUPPORTED
from depthlimit.theory.quantity import Quantity
from depthlimit.theory.registry import claims, quantities

_TEMPLATES = Path(__file__).parent / "templates"
_PILES = {
    words.UNEXPECTED: "Otherwise than registered",
    UNDECIDED: "Undecided",
    words.NO_POWER: "Holds, no power",
    words.UNREFUTED: "Registered as refuted, not refuted here",
    OUT_OF_HYPOTHESIS: "Out of hypothesis",
    UNSUPPORTED: "Unsupported",
    NOT_RUN: "Not run",
}


def _environment() -> Environment:
    loader = FileSystemLoader(_TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters.update(prose=formulas.prose, tex=formulas.inline, display=formulas.from_tex, count=words.count)
    return environment


_IMPLIED = re.compile(r"</(?:t[dhr]|thead|tbody|li|d[td])>\s*(?=</?(?:t[dhr]|thead|tbody|table|li|ul|ol|d[tdl])\b)")
_QUOTED = re.compile(r'(?<= )([a-z-]+)="([\w.#:/+,%()-]+)"(?=[ >])')  # texts are escaped and hold no such thing


def _short(page: str) -> str:
    """A page without the end tags that HTML implies and the quotes that it does not need: a tenth of its bytes."""
    return _QUOTED.sub(r"\1=\2", _IMPLIED.sub("", page))


def _mood(run: Run, piles: Mapping[str, list[Result]]) -> str:
    """The colour of the first sentence: good only if something has power and nothing needs attention."""
    if piles[words.UNEXPECTED] or (piles[words.UNREFUTED] and "corpus" in run.planned):
        return "bad"  # the corpus holds the witness of each refuted claim
    doubts = piles[UNDECIDED] or piles[words.UNREFUTED] or not piles[HOLDS]
    return "warn" if doubts or not run.identity.get("finished") else "good"


def _front(run: Run, pages: list[views.Statement], planted: Any) -> dict[str, Any]:
    piles = words.sort_out(run)
    return {
        "sentence": words.sentence(run, piles),
        "mood": _mood(run, piles),
        "piles": [(title, piles[key]) for key, title in _PILES.items() if piles[key]],
        "groups": [(page, {label: list(map(tables.row, results)) for label, results in page.labels().items()}) for page in pages],
        "rates": tables.rates(run.results.values(), worst=True),
        "data_rows": [tables.cells(run.results[key].claim, entry) for key, entry in run.data.items()],
        "faults": planted,
    }


def render(
    run: Run, registry: Mapping[str, Claim], vocabulary: Mapping[str, Quantity], wrong: Sequence[Difference] = ()
) -> Iterator[tuple[str, str]]:
    """The pages of a run: names and texts."""
    pages, environment = views.statements(run), _environment()
    files = {page.prefix: page.file for page in pages}
    proved = [proofs.Proof.of(run, page) for page in pages if proofs.has_proof(page.results)]

    def link(label: str) -> str:
        return f"{files.get(label.partition('.')[0], 'index.html')}#{label}"

    planted, judged = trial.faults(run, registry), trial.trial(run)
    parts = [name for name, there in (("implementation", judged), ("faults", planted)) if there]
    common = {"parts_of_run": parts, "run": run, "pages": pages, "link": link, "identity": run.identity, "registry": registry}

    def page(template: str, name: str, **values: Any) -> tuple[str, str]:
        return name, _short(environment.get_template(template).render(here=name, **common, **values))

    yield page("index.html", "index.html", **_front(run, pages, planted))
    for statement in pages:
        shared = views.Shared()
        yield page(
            "statement.html",
            statement.file,
            page=statement,
            overview=views.overview(statement),
            sections=views.sections(run, statement, vocabulary, shared),
            shared=shared,
            detectable=tables.detectable(run) if statement.prefix == "certificate" else [],
            least=ratios.least(run) if statement.prefix == "certificate" else [],
            draws=ratios.draws(run) if statement.prefix == "certificate" else [],
            proof=next((p.file for p in proved if p.page is statement), None),
        )
    for proof in proved:
        yield page("proof.html", proof.file, page=proof.page, graph=proof.graph(link), drawings=proof.drawings(run), steps=proof.steps(run))
    yield page("proofs.html", "proofs.html", proofs=[proof.row() for proof in proved])
    yield page("differences.html", "differences.html", differences=wrong)
    yield page(
        "constants.html",
        "constants.html",
        tables=tables.constants(run),
        definitions=tables.definitions(run, vocabulary),
    )
    if judged:
        yield page("implementation.html", "implementation.html", trial=judged)
    if planted:
        yield page("faults.html", "faults.html", faults=planted)
    yield page("glossary.html", "glossary.html", terms=TERMS, quantities=list(vocabulary.values()))


def write(
    folder: Path,
    registry: Mapping[str, Claim] | None = None,
    vocabulary: Mapping[str, Quantity] | None = None,
    wrong: Sequence[Difference] | None = None,
) -> Path:
    """Write the report of a run folder and return the path of its front page.

    `registry` (claims by id), `vocabulary` (quantities by name) and `wrong` default to those registered. Raises
    `records.RunError` if the folder cannot be read; then nothing is written.
    """
    registry = {c.id: c for c in claims()} if registry is None else registry
    vocabulary = quantities() if vocabulary is None else vocabulary
    wrong = differences() if wrong is None else wrong
    with svg.defaults():
        rendered = dict(render(load(folder, registry), registry, vocabulary, wrong))
    out = folder / "report"
    out.mkdir(exist_ok=True)
    for old in out.glob("*.html"):
        old.unlink()  # a statement of an earlier report may have no page in this one
    for name, text in rendered.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    (out / "style.css").write_bytes((_TEMPLATES / "style.css").read_bytes())
    return out / "index.html"
