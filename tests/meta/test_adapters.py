"""Implementations from outside (`adapters/`): the right ones raise no alarm, the wrong one fails by the claims and the causes it should."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from depthlimit.conformance.diagnosis import diagnose
from depthlimit.conformance.faults.planting import SPECS
from depthlimit.models.check import check
from depthlimit.models.corpus import NETWORKS
from depthlimit.models.implementation import load
from depthlimit.models.strategies import draw
from depthlimit.models.verify import as_registered
from depthlimit.theory import judgement as J

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


@pytest.mark.parametrize("name", right(*CORRECT))
def test_a_right_adapter_raises_no_alarm(name: str) -> None:
    found = load(f"adapters.{name}:factory")
    specs = [SPECS["plain"], SPECS["saturated"], SPECS["tight-ode"], *draw("network", 2, 4)]
    records = [r for spec in specs for r in check(spec, found)[0]]
    assert not [r for r in records if not as_registered(r)]
    assert sum(r["verdict"] == J.HOLDS for r in records) > 100
    assert not [r for r in records if r["verdict"] == J.UNSUPPORTED and r["claim"].startswith("agreement")], "a method is missing"


def test_numpy_by_hand_is_right_on_every_network_of_the_corpus() -> None:
    found = load("adapters.numpy_by_hand:factory")
    records = [r for spec in NETWORKS for r in check(spec, found)[0]]
    assert not [r for r in records if not as_registered(r)]
    assert {r["claim"] for r in records if r["verdict"] == J.HOLDS} >= {"agreement.hidden", "agreement.gradient-W", "agreement.velocity-V"}


def test_the_departures_of_public_code_are_diagnosed() -> None:
    """One by one each has its cause named first; of all together, those of the forward pass."""
    for departure in DEPARTURES:
        made = load("adapters.torch_departures:factory").__class__(departure["name"])
        (first, *_) = diagnose(made, first=True)
        assert first.sentence == departure["cause"], (departure["name"], first.text())
    (first, *_) = diagnose(load("adapters.torch_departures:factory"), first=True)
    assert first.sentence == " and ".join(departure["cause"] + "," * (i == 0) for i, departure in enumerate(DEPARTURES[:2]))


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
        [sys.executable, "-m", "pytest", *command, "-p", "no:cacheprovider", "-k", "network and eq3.layer"],
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    assert ("network-eq3.layer" in done.stdout) == bool(status)


def test_adapters_use_nothing_of_ours_and_the_one_by_hand_is_short() -> None:
    for path in ADAPTERS.glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)]
        names += [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
        assert not [name for name in names if name.partition(".")[0] in ("depthlimit", "models", "theory", "tests")], path
    lines = (ADAPTERS / "numpy_by_hand.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) < 40
