"""Tests read off the registry: one per claim and regime over the corpus, one per regime on drawn instances.

`test_corpus[REGIME-CLAIM]` judges one claim on every Spec of the corpus in that regime. `test_regime[REGIME]`
draws a Spec, runs it once, judges all its claims, and searches for instances on which they are tight. What an
implementation does not support is skipped with the reason.
"""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings, target

from depthlimit.conformance.explain import explain
from depthlimit.conformance.subject import Subject, judged, reasons
from depthlimit.models.corpus import corpus
from depthlimit.models.spec import Spec
from depthlimit.models.strategies import GENERATED, specs
from depthlimit.models.verify import COUNTS, PROFILES
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.record import NO_POWER, claim_id
from depthlimit.theory.registry import claims

# How many instances test_regime draws: in `quick`, so few that the suite takes a minute on two cores.
EXAMPLES = {
    **COUNTS,
    "quick": {
        "plain-flow": 15,
        "clipped-flow": 12,
        "euler-scheme": 4,
        "general-euler": 6,
        "local-pl": 5,
        "general-flow": 10,
        "general-long": 4,
        "random-matrix": 4,
        "kernel-matrix": 4,
        "relu": 4,
        "network": 20,
        "pl-ball": 5,
        "family": 4,
    },
}

for _name, _more in {
    # The corpus holds small instances of everything, so a wrong implementation need not wait for shrinking.
    "dev": {"derandomize": True, "phases": (Phase.generate, Phase.target)},
    "ci": {"derandomize": True, "phases": (Phase.generate, Phase.target, Phase.shrink)},
    # Hypothesis takes its defaults from the surroundings: where CI is set it would derandomise.
    "nightly": {"derandomize": False, "phases": (Phase.generate, Phase.target, Phase.shrink)},
}.items():
    settings.register_profile(
        f"depthlimit-{_name}",
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],  # says how busy the machine is
        **_more,  # type: ignore[arg-type]
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parameters from the registry, the corpus and the strategies."""
    if metafunc.function is test_corpus:
        regimes = dict.fromkeys(spec.regime.kind for spec in corpus())
        cases = [(claim, regime) for regime in regimes for claim in claims(regime=regime)]
        metafunc.parametrize(
            ("claim", "regime"),
            [pytest.param(c, r, id=f"{r}-{c.id}", marks=pytest.mark.depthlimit(regime=r, claim=c.id)) for c, r in cases],
        )
    if metafunc.function is test_regime:
        metafunc.parametrize("regime", [pytest.param(r, marks=pytest.mark.depthlimit(regime=r)) for r in GENERATED])


def _unit(origin: str, spec: Spec, records: list[dict[str, Any]], curves: list[dict[str, Any]], printed: Any) -> dict[str, Any]:
    """What a test tells of one Spec; the Spec stands once, not in each record."""
    return {
        "origin": origin,
        "spec": spec.to_json(),
        "records": [{**record, "spec": None} for record in records],
        "curves": curves,
        "printed": printed,
    }


def test_corpus(
    claim: Claim,
    regime: str,
    depthlimit_subject: Subject,
    depthlimit_kept: list[dict[str, Any]],
    pytestconfig: pytest.Config,
) -> None:
    found = []
    for spec in corpus(pytestconfig.option.depthlimit_profile):
        if spec.regime.kind == regime:
            records, curves, printed = depthlimit_subject.on_corpus(spec)
            own = [record for record in records if claim_id(record) == claim.id]
            found += own
            depthlimit_kept.append(_unit("corpus", spec, own, [c for c in curves if c["claim"] == claim.id], printed))
    failures, known = depthlimit_subject.sorted_out(found)
    if failures:
        text = []
        for item in failures:
            again = depthlimit_subject.replay({key: item[key] for key in ("claim", "edition", "inputs", "spec")})
            printed_lines = depthlimit_subject.printed(Spec.model_validate(item["spec"]), True)
            text.append("\n".join([explain(item), *printed_lines, f"  {again}"]))
        pytest.fail("\n\n".join(text), pytrace=False)
    if known:
        pytest.xfail(known)
    if not judged(found):
        if all(item["verdict"] == J.OUT_OF_HYPOTHESIS for item in found):
            pytest.fail(
                f"{claim.id}: no {regime} of the corpus meets its hypotheses ({reasons(found)})",
                pytrace=False,
            )
        pytest.skip(reasons(found))


def test_regime(
    regime: str,
    depthlimit_subject: Subject,
    depthlimit_kept: list[dict[str, Any]],
    pytestconfig: pytest.Config,
) -> None:
    profile, number = pytestconfig.option.depthlimit_profile, pytestconfig.option.depthlimit_seed
    found: dict[str, list[dict[str, Any]]] = {}
    known: dict[str, None] = {}

    @seed(zlib.crc32(f"{regime}:{number}".encode()))
    @settings(settings.get_profile(f"depthlimit-{PROFILES[profile]}"), max_examples=EXAMPLES[profile][regime])
    @given(specs(regime))
    def all_claims(spec: Spec) -> None:
        records, curves, printed = depthlimit_subject.check(spec)
        if spec.canonical() not in found:
            found[spec.canonical()] = records
            depthlimit_kept.append(_unit("generated", spec, records, curves, printed))
        for item in records:
            tightness = item["log10_tightness"]
            if item["scale"] == "linear" and tightness is not None and NO_POWER * 10**tightness >= 1:
                target(tightness, label=claim_id(item))
        failures, reason = depthlimit_subject.sorted_out(records)
        known.update({reason: None} if reason else {})
        if failures:
            text = [explain(item) for item in failures]
            lines = [f"profile {profile}, seed {number}", *depthlimit_subject.printed(spec, False)]
            pytest.fail("\n\n".join([*text, "\n".join([*lines, f"  {depthlimit_subject.replay(spec.to_json())}"])]), pytrace=False)

    all_claims()
    if known:
        pytest.xfail("; ".join(known))
    everything = [item for records in found.values() for item in records]
    if not judged(everything):
        pytest.skip(reasons([item for item in everything if item["verdict"] == J.UNSUPPORTED]))
