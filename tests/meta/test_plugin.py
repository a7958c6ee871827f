"""The pytest plugin in projects of other people: what it adds, refuses, skips, fails and writes.

Runs that need the checks themselves select few of them: the ladders of Proposition 2 and of the i.i.d.
control, which NumPy does in a second. Most share this process, where all that they import is loaded already.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from depthlimit.cli import app
from depthlimit.conformance import plugin, recorder, test_claims
from depthlimit.conformance.subject import wrong
from depthlimit.models import torch_implementation, verify
from depthlimit.models.corpus import WITNESSES, corpus
from depthlimit.models.strategies import GENERATED

# pytester forgets modules that a run in this process is the first to import, and torch cannot be imported twice.
LOADED = (recorder, torch_implementation)
CHECKS = ("--pyargs", "depthlimit.conformance", "-p", "no:cacheprovider")
OPTIONS = ("implementation", "device", "require-device", "timeout", "known", "out", "profile", "seed")

WRONG = """
from depthlimit.models.reference import NumpyImplementation

class Wrong(NumpyImplementation):
    "The 1/L is missing."

    def forward(self, spec, params, x):
        return super().forward(spec, {**params, "V": params["V"] * spec["L"]}, x)
"""
PARTIAL = """
from depthlimit.models.reference import NumpyImplementation

class Partial:
    "It has `forward` and no other method."

    def forward(self, spec, params, x):
        return NumpyImplementation().forward(spec, params, x)
"""
COUNTED = """
import os, pathlib
from depthlimit.models.reference import NumpyImplementation

class Counted(NumpyImplementation):
    "It notes which process asked for which instance."

    def neural_ode(self, spec, weights, x, s):
        with open(pathlib.Path(__file__).with_name("calls.txt"), "a") as file:
            print(os.getpid(), sum(weights["W"].ravel()), file=file)
        return super().neural_ode(spec, weights, x, s)
"""
MINE = """
import models
from hypothesis import settings

def test_mine():
    assert models.MINE
    assert not settings.get_current_profile_name().startswith("depthlimit")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Another project's folder; its processes use one thread each."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


# --- what it adds to every run


def test_the_plugin_imports_nothing_heavy(project: pytest.Pytester) -> None:
    heavy = {"hypothesis", "numpy", "pydantic", "sympy", "torch", "depthlimit.models", "depthlimit.theory"}
    code = f"import sys, depthlimit.conformance.plugin; print(sorted({heavy} & set(sys.modules)))"
    assert project.run(sys.executable, "-c", code).outlines == ["[]"]


def test_options_and_fixtures_bear_the_projects_name_and_the_marker_is_registered(
    project: pytest.Pytester,
) -> None:
    project.makepyfile("import pytest\n@pytest.mark.depthlimit(regime='none')\ndef test_marked(): pass")
    result = project.runpytest_subprocess("--help")
    result.stdout.fnmatch_lines([f"*--depthlimit-{name}*" for name in OPTIONS])
    markers = project.runpytest_subprocess("--markers", "--strict-markers")
    markers.stdout.fnmatch_lines(["@pytest.mark.depthlimit(claim, regime): *"])
    project.runpytest_subprocess("--strict-markers").assert_outcomes(passed=1)
    fixtures = [name for name in vars(plugin) if "ixture" in type(getattr(plugin, name)).__name__]
    assert fixtures and all(name.startswith("depthlimit_") for name in fixtures)


def test_the_profiles_are_those_of_verify_and_each_regime_that_can_be_drawn_has_a_count() -> None:
    assert tuple(verify.PROFILES) == plugin.PROFILES == tuple(test_claims.EXAMPLES)
    assert all(set(counts) == set(GENERATED) for counts in test_claims.EXAMPLES.values())


@pytest.mark.parametrize("profile", plugin.PROFILES)
def test_hypothesis_runs_without_deadline_or_database_and_prints_how_to_reproduce(profile: str) -> None:
    chosen = test_claims.settings.get_profile(f"depthlimit-{verify.PROFILES[profile]}")
    assert (chosen.deadline, chosen.database, chosen.print_blob) == (None, None, True)
    assert chosen.derandomize == (profile != "deep")


def test_a_deep_run_draws_a_seed_unless_one_is_given_and_tells_it(project: pytest.Pytester) -> None:
    config = project.parseconfigure("--depthlimit-profile", "deep")
    drawn = config.option.depthlimit_seed
    assert drawn != project.parseconfigure("--depthlimit-profile", "deep").option.depthlimit_seed
    assert f"seed {drawn}" in str(plugin.pytest_report_header(config))
    given = project.parseconfigure("--depthlimit-profile", "deep", "--depthlimit-seed", "7")
    assert given.option.depthlimit_seed == 7
    plain = project.parseconfigure()
    assert plain.option.depthlimit_seed == 0 and plugin.pytest_report_header(plain) is None


# --- what it refuses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--depthlimit-implementation", "numpy", "--depthlimit-device", "cuda"),
            "implementation numpy runs on",
        ),
        (("--depthlimit-implementation", "nowhere:factory"), "no module 'nowhere'"),
        (("--depthlimit-implementation", "json:loads"), "json:loads.*factory: TypeError"),
        (("--depthlimit-out", "full"), "holds files already"),
    ],
)
def test_bad_input_is_a_usage_error_and_nothing_is_written(arguments: tuple[str, ...], message: str, project: pytest.Pytester) -> None:
    (project.mkdir("full") / "records.jsonl").touch()
    before = sorted(project.path.rglob("*"))
    with pytest.raises(pytest.UsageError, match=message):
        project.parseconfigure(*arguments)
    assert sorted(project.path.rglob("*")) == before


@pytest.mark.parametrize("seed", ["-1", "4294967296", "x"])
def test_a_seed_that_numpy_would_not_take_is_a_usage_error(seed: str, project: pytest.Pytester) -> None:
    with pytest.raises(pytest.UsageError, match="from 0 to 2"):
        project.parseconfigure(f"--depthlimit-seed={seed}")


# --- what passes, fails and is skipped


def test_verdicts_that_contradict_the_registry_are_wrong() -> None:
    witness = WITNESSES["eq13-witness"].to_json()
    other = corpus()[0].to_json()

    def item(claim: str, edition: str, verdict: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {
            "claim": claim,
            "edition": edition,
            "inputs": "instantaneous",
            "verdict": verdict,
            "spec": spec,
        }

    for verdict in ("violated", "undecided", "errored", "blocked"):
        assert wrong([item("eq3.layer", "as-printed", verdict, other)])
    for verdict in ("holds", "out-of-hypothesis", "unsupported"):
        assert not wrong([item("eq3.layer", "as-printed", verdict, other)])
    assert wrong([item("eq13.layer", "as-printed", "holds", witness)])  # it should have been refuted here
    assert not wrong([item("eq13.layer", "as-printed", "violated", witness)])
    assert not wrong([item("eq13.layer", "as-printed", "holds", other)])


@pytest.mark.parametrize(("required", "outcome"), [((), "skipped"), (("--depthlimit-require-device",), "failed")])
def test_a_missing_device_skips_every_check_or_fails_it_where_the_device_is_required(
    required: tuple[str, ...], outcome: str, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    result = project.runpytest_inprocess(*CHECKS, "--depthlimit-device", "cuda", "-k", "iid-ladder or eq6 or scheme", "-rsf", *required)
    result.assert_outcomes(**{outcome: 6})
    result.stdout.fnmatch_lines(["*torch sees 0 CUDA device*"])


def test_an_implementation_without_the_depth_scaling_fails_tests_that_name_the_claim(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(wrong=WRONG)
    result = project.runpytest_inprocess(*CHECKS, "--depthlimit-implementation", "wrong:Wrong", "-k", "euler-ladder")
    counts = result.parseoutcomes()
    assert counts["failed"] >= 2 and counts["passed"] >= 2  # Proposition 2 fails, the neural ODE (6) passes
    result.stdout.fnmatch_lines(
        [
            "prop2.rate[[]sharpened,along-trajectory[]] on euler-ladder: violated, expected that it holds",
            "  slope_output = -1",
            "  lhs = * ± *",
            "  rhs = * ± *",
            "  printf %s * > spec.json; depthlimit replay spec.json --implementation wrong:Wrong",
        ]
    )
    command = next(text for text in result.outlines if "printf" in text and '"prop2.rate"' in text)
    project.path.joinpath("spec.json").write_text(command.split("'")[1], encoding="utf-8")
    monkeypatch.syspath_prepend(project.path)
    again = {name: CliRunner().invoke(app, ["replay", "spec.json", "--implementation", name]) for name in ("wrong:Wrong", "numpy")}
    assert (again["wrong:Wrong"].exit_code, again["numpy"].exit_code) == (verify.FAILED, verify.EXPECTED)
    assert again["numpy"].stdout.splitlines()[0].startswith("prop2.rate[sharpened,along-trajectory]: holds")


def test_a_failing_search_names_every_claim_and_the_instance(project: pytest.Pytester) -> None:
    project.makepyfile(wrong=WRONG.replace("L.", "L.\n\n    name = 'wrong'"))
    result = project.runpytest_inprocess(*CHECKS, "--depthlimit-implementation", "wrong:Wrong", "-k", "test_regime and scheme")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*prop2.*on euler-scheme: violated*", "profile quick, seed 0", "  printf %s *"])


def test_what_an_implementation_lacks_is_skipped_with_the_reason(project: pytest.Pytester) -> None:
    project.makepyfile(partial=PARTIAL)
    result = project.runpytest_inprocess(
        *CHECKS,
        "--depthlimit-implementation",
        "partial:Partial",
        "-k",
        "eq6 or prop2.output or prop2.rate",
        "-rs",
        "--depthlimit-out",
        "out",
    )
    outcomes = result.parseoutcomes()
    assert outcomes["skipped"] > 5 and set(outcomes) <= {"skipped", "deselected", "warnings"}
    result.stdout.fnmatch_lines(["*unsupported: the implementation has no method neural_ode*"])
    run = json.loads((project.path / "out" / "run.json").read_text(encoding="utf-8"))
    assert any("no method neural_ode" in entry["reason"] for entry in run["skipped"])
    assert {item["verdict"] for item in lines(project.path / "out" / "records.jsonl")} == {"unsupported"}
    trial = json.loads((project.path / "out" / "oracle.json").read_text(encoding="utf-8"))
    assert (trial["causes"], trial["sensitivity"]) == ([], []) and (project.path / "out" / "report" / "implementation.html").is_file()


# --- what it writes


def test_a_run_on_two_workers_leaves_the_records_of_verify_and_its_report(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside tests and `models` of the project's own, in pytest's default import mode."""
    project.makepyfile(counted=COUNTED, **{"models/__init__": "MINE = True", "tests/test_mine": MINE})
    result = project.runpytest_subprocess(
        *(*CHECKS, "tests", "-o", "pythonpath=.", "-n", "2", "-k", "mine or scheme or ladder and (euler or iid)"),
        *("--depthlimit-implementation", "counted:Counted", "--depthlimit-out", "out"),
    )
    assert set(result.parseoutcomes()) == {"passed"}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # what `execute` sets in this process is undone
    plan = verify.make_plan(implementation="numpy", workers=1)
    plan.units = [u for u in plan.units if u.spec.regime.kind in ("euler-ladder", "iid-ladder")]
    verify.run(plan, project.path / "verify")

    out = project.path / "out"
    planned = lines(out / "plan.jsonl")
    drawn = [item for item in planned if item["origin"] == "generated"]
    assert planned == lines(project.path / "verify" / "plan.jsonl") + drawn
    assert {item["spec"]["regime"]["kind"] for item in drawn} == {"euler-scheme"}
    assert len(drawn) == len({json.dumps(item) for item in drawn}) > 1

    records = (out / "records.jsonl").read_text(encoding="utf-8")
    assert records.startswith((project.path / "verify" / "records.jsonl").read_text(encoding="utf-8"))
    assert {item["spec"]["regime"]["kind"] for item in lines(out / "records.jsonl")} == {
        "euler-ladder",
        "iid-ladder",
        "euler-scheme",
    }
    assert lines(out / "curves.jsonl")
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert sum(summary["counts"].values()) == len(records.splitlines())
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (run["command"][0], run["workers"], run["seed"], run["profile"]) == ("pytest", 2, 0, "quick")
    assert run["finished"] >= run["started"] and "prop2.rate[sharpened,along-trajectory]" in run["only"]
    assert "prop2.rate[sharpened,along-trajectory]" in run["faults"]["faults"]["reversed-ode"]["caught_by"]
    assert (out / "report" / "index.html").is_file()

    # each Spec was run once, in which its ODE is asked for and asked for again, all of a group by one worker
    calls = [text.split() for text in (project.path / "calls.txt").read_text().splitlines()]
    assert len(calls) == 2 * len({weights for _, weights in calls}) and len({process for process, _ in calls}) == 1


def test_a_run_without_a_check_of_ours_writes_nothing(project: pytest.Pytester) -> None:
    project.makepyfile("def test_own(): pass")
    result = project.runpytest_inprocess("--depthlimit-out", "out")
    result.stdout.fnmatch_lines(["no test of depthlimit.conformance ran; nothing is written to *out"])
    assert not (project.path / "out").exists()
