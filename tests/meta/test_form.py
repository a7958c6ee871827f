"""The form that pytest gives the oracle: what crashes or hangs fails alone, the end of a session says why, known failures are known."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import find, settings

from depthlimit.conformance import plugin, recorder
from depthlimit.conformance.subject import Subject, plan_of, wrong
from depthlimit.models import torch_implementation
from depthlimit.models.strategies import specs

LOADED = (recorder, torch_implementation)  # pytester forgets what a run in this process imports first, and torch cannot be imported twice
CHECKS = ("--pyargs", "depthlimit.conformance", "-p", "no:cacheprovider", "--depthlimit-implementation")
BAD = '''
import os, signal, time
from depthlimit.models.reference import NumpyImplementation


class Fatal(NumpyImplementation):
    """Gradients of deep networks end the process; of the loss of some, compiled code does not come back."""

    def gradients(self, spec, params, x, y):
        os.write(2, b"bad address\\n")
        if spec["L"] > 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().gradients(spec, params, x, y)

    def velocity(self, *a):
        return NumpyImplementation().velocity(*a)

    def loss(self, spec, params, x, y):
        if spec["L"] == 12:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            time.sleep(3600)
        return super().loss(spec, params, x, y)


class Deep(NumpyImplementation):
    """The 1/L is missing, and it says so."""

    def forward(self, spec, params, x):
        print("depth", spec["L"])
        return super().forward(spec, {**params, "V": params["V"] * spec["L"]}, x)


def crashing():
    os.write(2, b"no such device\\n")
    os.abort()
'''
KNOWN = '[[known]]\nclaim = "{}"\nreason = "no depth yet"\nlink = "https://example.org/1"\nexpires = 2999-01-01\n'


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with the bad ones."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyfile(bad=BAD)
    return pytester


@pytest.fixture
def deep(project: pytest.Pytester) -> Iterator[Subject]:
    """The subject of a session that asks `Deep`."""
    option = SimpleNamespace(
        depthlimit_profile="quick",
        depthlimit_seed=0,
        depthlimit_implementation="bad:Deep",
        depthlimit_device="cpu",
        depthlimit_timeout=5.0,
    )
    subject = Subject("bad:Deep", "cpu", False, {"network": {"eq3.layer[as-printed,instantaneous]"}}, plan_of(option))
    yield subject
    subject.close()


def test_a_crash_and_a_hang_fail_their_cases_and_the_session_goes_on(project: pytest.Pytester) -> None:
    which = "test_corpus and network-agreement and (loss or hidden or gradient-B or velocity-B)"
    result = project.runpytest_inprocess(*CHECKS, "bad:Fatal", "--depthlimit-timeout", "0.3", "-k", which)
    result.assert_outcomes(failed=2, passed=2)
    text = result.stdout.str()
    assert "  gradients: crash: the process ended with signal SIGSEGV\n  gradients printed: bad address\n" in text
    assert "  loss: hang: no answer within 0.3 s, and it could not be stopped\n" in text
    causes = text.partition("## Probable causes")[2].partition("short test summary")[0]
    assert "- `gradients`: a call ends its process" in causes, causes


def test_hypothesis_shrinks_what_a_worker_answers(deep: Subject) -> None:
    few = settings(database=None, deadline=None, derandomize=True, max_examples=20)
    minimal = find(specs("network"), lambda spec: spec.L > 2 and bool(wrong(deep.on_corpus(spec)[0])), settings=few)
    assert minimal.L == 3 and minimal.n == minimal.m == 1 and deep.printed(minimal, True) == ["  forward printed: depth 3"]


def test_the_end_of_a_session_tells_causes_and_known_failures_with_workers_too(project: pytest.Pytester) -> None:
    """eq3.layer is known and fails, eq3.input is listed and does not, agreement.hidden is not listed."""
    (project.path / "known.toml").write_text(KNOWN.format("eq3.layer") + KNOWN.format("eq3.input") + KNOWN.format("prop3.gap"))
    which = "test_corpus and network and (eq3 or agreement.hidden)"
    more = ("--depthlimit-known", "known.toml", "-rx", "-n", "1")
    result = project.runpytest_subprocess(*CHECKS, "bad:Deep", "-k", which, *more)
    result.assert_outcomes(failed=1, passed=2, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "## Probable causes",
            "- `forward`: the factor 1/L of (3) is missing",
            "## Known failures",
            "*`eq3.layer*| network | * no depth yet *",
            "*entry 2 (eq3.input) matches no failure: remove it*",
            "*prop3.gap: not tried in this run",
            "## Printed",
            "- forward printed: depth *",
            "XFAIL *eq3.layer* eq3.layer: no depth yet (https://example.org/1)",
        ]
    )


def test_a_session_whose_failures_are_all_known_succeeds_and_an_outdated_list_fails_it(project: pytest.Pytester) -> None:
    known, which = project.path / "known.toml", ("-k", "test_regime and network", "--depthlimit-known", "known.toml")
    known.write_text(KNOWN.format("*").replace("prop", "eq"))
    result = project.runpytest_inprocess(*CHECKS, "bad:Deep", *which)
    result.assert_outcomes(xfailed=1)
    assert result.ret == pytest.ExitCode.OK and "Probable causes" not in result.stdout.str()
    known.write_text(KNOWN.format("eq3.input"))
    result = project.runpytest_inprocess(*CHECKS, "numpy", *which)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*entry 1 (eq3.input) matches no failure: remove it*"])


def test_a_bad_list_and_a_factory_that_crashes_are_usage_errors(project: pytest.Pytester) -> None:
    project.path.joinpath("known.toml").write_text("[[known]]\nclaim = 'eq3.layer'\n")
    with pytest.raises(pytest.UsageError, match=r"known\.toml: entry 1 \(eq3\.layer\): reason: is missing"):
        project.parseconfigure("--depthlimit-known", "known.toml")
    with pytest.raises(pytest.UsageError, match="factory: crash: the process ended with signal SIGABRT\nno such device"):
        project.parseconfigure("--depthlimit-implementation", "bad:crashing")


def test_ours_are_asked_in_the_process_of_the_tests() -> None:
    assert Subject("numpy", "cpu", False, {}).plan is None and plugin.TIMEOUT == 60
