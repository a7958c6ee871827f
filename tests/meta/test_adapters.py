"""Implementations written outside of depthlimit (`adapters/`): the right ones raise no alarm, the wrong one fails by the claims it should.

    python tests/meta/test_adapters.py NAME... [--corpus] [--still N] [--flows N] [--seed S] [--workers W]

judges adapters, `package.module:factory` as seen from the current directory, on the corpus, on N generated networks at time 0 (no flow:
these are cheap) and on N generated flows. It prints what was judged and every record that did not come out as registered, and ends with
status 1 if there is one.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from depthlimit.conformance.faults.planting import SPECS
from depthlimit.models.check import check
from depthlimit.models.corpus import corpus
from depthlimit.models.implementation import load
from depthlimit.models.spec import Spec
from depthlimit.models.strategies import draw
from depthlimit.models.verify import as_registered, single_threaded, start_server
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.registry import claims

ROOT = Path(__file__).parents[2]
ADAPTERS = ROOT / "adapters"
DEPARTURES = tomllib.loads((ADAPTERS / "torch_departures.toml").read_text(encoding="utf-8"))["departure"]
FLOWS = ("plain-flow", "clipped-flow")

Record = dict[str, Any]


def right(*names: str) -> list[Any]:
    """Adapters as parameters; those in JAX are skipped where it is not installed."""
    without = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: pip install -c constraints.txt '.[adapters]'")
    return [pytest.param(name, marks=without if name.startswith("jax") else ()) for name in names]


CORRECT = ("numpy_by_hand", "numpy_complete", "numpy_reordered", "torch_autograd", "jax_autograd", "jax_scan")


@pytest.fixture(autouse=True)
def adapters_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


# --- judging


def local() -> list[Claim]:
    """The claims about one state."""
    return [c for c in claims() if c.inputs == "instantaneous"]


def still(spec: Spec) -> Spec:
    """The same at time 0 alone, where no flow has to be followed."""
    return Spec.model_validate({**spec.to_json(), "times": (0.0,)})


def cases(counts: argparse.Namespace) -> Iterator[tuple[str, Spec]]:
    """Kind and Spec of everything that is asked for."""
    if counts.corpus:
        yield from (("corpus", spec) for spec in corpus())
    for number, kind in ((counts.still, "still"), (counts.flows, "flow")):
        for regime, share in zip(FLOWS, (number - number // 2, number // 2), strict=True):
            for spec in draw(regime, share, counts.seed) if share else ():
                yield (kind, still(spec) if kind == "still" else spec)


def judged(name: str, kind: str, spec: Spec) -> tuple[str, Counter[str], list[Record]]:
    """The case's kind, its verdicts, and what did not come out as registered."""
    if name not in _LOADED:
        _LOADED[name] = load(name)
    with single_threaded():
        records, _ = check(spec, _LOADED[name], selected=local() if kind == "still" else None)
    return kind, Counter(r["verdict"] for r in records), [r for r in records if not as_registered(r)]


_LOADED: dict[str, Any] = {}


def alarms(name: str, counts: argparse.Namespace) -> int:
    """Judge one adapter on all cases, print a line for each kind of case, return how many records are not as registered."""
    begun, total, verdicts, wrong = time.monotonic(), Counter[str](), Counter[str](), 0
    found = list(cases(counts))
    arguments = ([name] * len(found), *zip(*found, strict=True))
    with ProcessPoolExecutor(counts.workers, start_server()) as pool:
        for kind, each, records in pool.map(judged, *arguments, chunksize=4):
            total[kind] += 1
            verdicts += each
            wrong += len(records)
            for r in records:
                print(json.dumps(r, ensure_ascii=False))
    print(f"{name}: {dict(total)}, {dict(verdicts)}, {wrong} alarms, {time.monotonic() - begun:.0f} s", flush=True)
    return wrong


# --- tests


@pytest.mark.parametrize("name", right(*CORRECT))
def test_a_right_adapter_raises_no_alarm(name: str) -> None:
    found = load(f"adapters.{name}:factory")
    specs = [SPECS["plain"], SPECS["saturated"], SPECS["tight-ode"], *(still(s) for kind in FLOWS for s in draw(kind, 1, 4))]
    records = [r for spec in specs for r in check(spec, found, selected=local() if spec.times == (0.0,) else None)[0]]
    assert not [r for r in records if not as_registered(r)]
    assert sum(r["verdict"] == J.HOLDS for r in records) > 100
    assert not [r for r in records if r["verdict"] == J.UNSUPPORTED and r["claim"].startswith("agreement")], "a method is missing"


def test_numpy_by_hand_meets_every_local_claim_of_the_corpus() -> None:
    found = load("adapters.numpy_by_hand:factory")
    specs = [still(s) for s in corpus() if s.regime.kind in FLOWS]
    records = [r for spec in specs for r in check(spec, found, selected=local())[0]]
    assert not [r for r in records if not as_registered(r)]
    assert {r["claim"] for r in records if r["verdict"] == J.HOLDS} >= {"agreement.hidden", "agreement.gradient-W", "agreement.velocity-V"}


def _outcome(departures: Sequence[str]) -> tuple[set[str], set[str]]:
    """Labels of claims that fail and that hold on a network that is not weight-tied and has two outputs."""
    made = load("adapters.torch_departures:factory").__class__(*departures)
    records = check(SPECS["plain"], made)[0]
    wrong = {r["claim"] for r in records if not as_registered(r)}
    return wrong, {r["claim"] for r in records if r["verdict"] == J.HOLDS} - wrong


@pytest.mark.parametrize("departure", DEPARTURES, ids=lambda d: str(d["name"]))
def test_a_departure_of_public_code_fails_by_these_claims_and_by_none_of_those(departure: dict[str, Any]) -> None:
    wrong, holds = _outcome([departure["name"]])
    assert set(departure["fails"]) <= wrong
    assert set(departure["holds"]) <= holds


def test_all_departures_together_fail_by_the_claims_of_each() -> None:
    wrong, _ = _outcome([])
    assert {claim for departure in DEPARTURES for claim in departure["fails"]} <= wrong


@pytest.mark.parametrize(("name", "status"), [("numpy_by_hand", 0), ("torch_departures", 1)])
def test_pytest_says_so_too(name: str, status: int) -> None:
    command = ["--pyargs", "depthlimit.conformance", "--depthlimit-implementation", f"adapters.{name}:factory", "-q", "--tb=no"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *command, "-p", "no:cacheprovider", "-k", "clipped-flow and (eq3 or agreement)"],
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    assert ("clipped-flow-eq3.layer" in done.stdout) == bool(status)


def test_adapters_use_nothing_of_ours_and_the_one_by_hand_is_short() -> None:
    for path in ADAPTERS.glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)]
        names += [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
        assert not [name for name in names if name.partition(".")[0] in ("depthlimit", "models", "theory", "tests")], path
    lines = (ADAPTERS / "numpy_by_hand.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) < 40


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--corpus", action="store_true")
    for option in ("--still", "--flows", "--seed"):
        parser.add_argument(option, type=int, default=0)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    raise SystemExit(1 if sum(alarms(name, arguments) for name in arguments.names) else 0)
