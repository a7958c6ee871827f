"""The pytest plugin of the shipped checks: options, markers, the implementation under test, the run folder.

    pytest --pyargs depthlimit.conformance --depthlimit-implementation my_package.adapter:factory
    pytest -n auto --dist loadgroup --depthlimit-out DIR
    pytest -m "depthlimit(regime='plain-flow')"          # or -k with a part of a claim's id

It is loaded in every pytest run of an environment that has depthlimit. So it imports nothing heavy, its
options and fixtures bear the project's name, and a run that asks for nothing gets a registered marker only.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import secrets
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from depthlimit import chosen

if TYPE_CHECKING:
    from depthlimit.conformance.subject import Subject

PROFILES = ("quick", "standard", "deep")  # keys of models.verify.PROFILES, which takes a second to import
DEFAULTS = {
    "implementation": chosen("cpu"),
    "device": "cpu",
    "profile": "quick",
    "seed": 0,
}  # what the header tells
TIMEOUT = 60.0  # seconds
PROPERTY = "depthlimit"  # the name under which tests hand their records to the controlling process

# With workers, the tests of a group run in one of them, so that each Spec is run once. Groups with most tests
# start first, so the ladders in depth, few tests that take half the time, share one with a regime of many. A GPU serves one worker.
_GROUPS = {"plain-flow": "plain", "clipped-flow": "clipped"}
_TEST = re.compile(r"(?:^|/)test_claims\.py::test_(?:corpus|regime)\[(\w+-\w+)")  # no folder with --pyargs


def _seed(text: str) -> int:
    if not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected an integer from 0 to 2^32 - 1, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")
    return value


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, each prefixed."""
    group = parser.getgroup("depthlimit", "depthlimit: the checks of depthlimit.conformance")
    group.addoption(
        "--depthlimit-implementation",
        metavar="NAME",
        help="what is checked: torch, numpy, compiled or package.module:factory (default: compiled; torch on cuda)",
    )
    group.addoption(
        "--depthlimit-device",
        choices=("cpu", "cuda"),
        default=DEFAULTS["device"],
        help="where it runs (default: cpu)",
    )
    group.addoption(
        "--depthlimit-require-device",
        action="store_true",
        help="fail, rather than skip, where the device is missing",
    )
    group.addoption(
        "--depthlimit-timeout",
        type=_seconds,
        default=TIMEOUT,
        metavar="SECONDS",
        help=f"what one call may take (default: {TIMEOUT:g})",
    )
    group.addoption(
        "--depthlimit-known",
        metavar="FILE",
        help="TOML file with the known failures, as `depthlimit oracle run --known` takes it",
    )
    group.addoption(
        "--depthlimit-out",
        metavar="DIR",
        help="write records and the report there, as `depthlimit verify` does",
    )
    group.addoption(
        "--depthlimit-profile",
        choices=PROFILES,
        default=DEFAULTS["profile"],
        help="how many generated instances (default: quick); Hypothesis's depthlimit-dev, -ci, -nightly",
    )
    group.addoption(
        "--depthlimit-seed",
        metavar="N",
        type=_seed,
        help="seed of the generated instances (default: 0; with the profile deep a fresh one, printed)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker; in the controlling process also the seed, refusal of bad input, who collects records."""
    config.addinivalue_line("markers", "depthlimit(claim, regime): a check of depthlimit.conformance")
    option = config.option
    option.depthlimit_implementation = option.depthlimit_implementation or chosen(option.depthlimit_device)
    if hasattr(config, "workerinput"):
        option.depthlimit_seed, option.depthlimit_known = config.workerinput[PROPERTY]
        return
    if option.depthlimit_seed is None:
        option.depthlimit_seed = secrets.randbelow(2**32) if option.depthlimit_profile == "deep" else 0
    if option.depthlimit_known is not None:
        option.depthlimit_known = str(config.invocation_params.dir / option.depthlimit_known)
    _refuse(option)
    if option.depthlimit_out is not None:
        out = config.invocation_params.dir / option.depthlimit_out
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise pytest.UsageError(f"--depthlimit-out {out}: holds files already; give a new or an empty folder")
        if not option.collectonly:
            _record(config, out)
    else:
        config.pluginmanager.register(_Waiting(config), "depthlimit-waiting")
    named = any(arg.startswith("depthlimit.conformance") for arg in config.args)
    if (named or option.depthlimit_out is not None) and getattr(option, "dist", "no") == "load":
        option.dist = "loadgroup"  # `-n` alone would have several workers run the same Spec


def _refuse(option: Any) -> None:
    """Raise UsageError for an implementation that leads nowhere and for a bad list of known failures.

    Each test says what device torch lacks. The factory of somebody else's may crash and hang, so it is tried in a process of its own.
    """
    from depthlimit.models.server import OURS, start_server

    name, device = option.depthlimit_implementation, option.depthlimit_device
    if option.depthlimit_known is None and (name == "torch" or (name in ("numpy", "compiled") and device == "cpu")):
        return
    if name not in OURS:
        start_server(name)  # its imports take as long as those here
    from depthlimit.conformance.oracle.known import read_known  # heavy, as all imports in functions here
    from depthlimit.conformance.subject import plan_of
    from depthlimit.models.implementation import load
    from depthlimit.models.spec import BadInput
    from depthlimit.models.workers import tried

    try:
        if option.depthlimit_known is not None:
            read_known(Path(option.depthlimit_known))
        if name in ("numpy", "compiled"):
            load(name, device)
    except BadInput as error:
        raise pytest.UsageError(f"--depthlimit-known, --depthlimit-implementation, --depthlimit-device: {error}") from None
    if name not in OURS and (trouble := tried(plan_of(option))):
        raise pytest.UsageError(f"--depthlimit-implementation {name}, --depthlimit-device {device}: {trouble}")


def _record(config: pytest.Config, out: Path | None) -> Any:
    from depthlimit.conformance.recorder import Recorder

    recorder = Recorder(config, out)
    config.pluginmanager.register(recorder, "depthlimit-recorder")
    return recorder


class _Waiting:
    """Of a run without --depthlimit-out: registers the recorder, which imports much, with the first test that has something to tell."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hand over to the recorder."""
        if any(name == PROPERTY for name, _ in report.user_properties):
            self.config.pluginmanager.unregister(self)
            _record(self.config, None).pytest_runtest_logreport(report)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist the seed, which may have been drawn, and where the known failures are."""
    option = node.config.option
    node.workerinput[PROPERTY] = option.depthlimit_seed, option.depthlimit_known


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> Generator[None, Any, Any]:
    """Under --dist loadgroup, group our tests by their names.

    Not by marks: pytest-xdist 3.8 overlooks them when it runs with pytest 9.2 (its issue 1386).
    """
    scheduler = yield
    if config.option.dist == "loadgroup":
        split = scheduler._split_scope
        scheduler._split_scope = lambda nodeid: _group(nodeid, config.option.depthlimit_device) or split(nodeid)
    return scheduler


def _group(nodeid: str, device: str) -> str | None:
    found = _TEST.search(nodeid)
    return f"depthlimit-{_GROUPS.get(found[1], 'others') if device == 'cpu' else device}" if found else None


def pytest_report_header(config: pytest.Config) -> str | None:
    """What is checked, if anything was asked for."""
    now = {key: getattr(config.option, f"depthlimit_{key}") for key in DEFAULTS}
    if now == DEFAULTS:
        return None
    return "depthlimit: " + ", ".join(f"{key} {value}" for key, value in now.items())


@pytest.fixture(scope="session")
def depthlimit_subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """The implementation under test and its records, each Spec run once per process."""
    from depthlimit.conformance.subject import Subject

    subject = Subject.of(request.session)
    yield subject
    subject.close()


@pytest.fixture
def depthlimit_kept(request: pytest.FixtureRequest, depthlimit_subject: Subject) -> Iterator[list[dict[str, Any]]]:
    """A list for what the test records; it leaves a worker with the teardown report, the last one sent."""
    kept: list[dict[str, Any]] = []
    yield kept
    everything = request.config.option.depthlimit_out is not None
    if told := kept if everything else depthlimit_subject.told(kept):
        request.node.user_properties.append((PROPERTY, json.dumps(told, separators=(",", ":"))))
