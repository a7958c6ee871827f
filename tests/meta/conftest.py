"""Run folders that several test modules look at: small, made once per process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from depthlimit.models.spec import Spec
from depthlimit.models.verify import make_plan, run

SMALL: dict[str, Any] = {"d": 2, "dout": 1, "q": 3, "m": 3, "L": 3, "n": 2, "T": 0.1}
SPECS = [
    {**SMALL, "regime": {"kind": "plain-flow"}, "data": {"kind": "sphere", "seed": 1}, "init": {"kind": "gp", "seed": 2}},
    {**SMALL, "regime": {"kind": "clipped-flow"}, "clip": {"kind": "smooth", "radius": 0.3}},
    {**SMALL, "regime": {"kind": "euler-scheme", "depths": (8, 16, 32, 64)}, "init": {"kind": "gp", "seed": 2}},
]
ADAPTERS = '''
from depthlimit.conformance.faults import FAULTS
from depthlimit.models.reference import NumpyImplementation


NoDepthScaling = next(f.implementation for f in FAULTS if f.name == "drop-depth-scaling")


class Partial:
    """NumPy without a velocity, and with a neural ODE that says why it has none."""

    def __getattr__(self, name):
        if name not in ("forward", "loss", "gradients", "flow"):
            raise AttributeError(name)
        return getattr(NumpyImplementation(), name)

    def neural_ode(self, *arguments):
        raise NotImplementedError("no solver | <b>here</b>")


class Hostile(NumpyImplementation):
    """What it raises is markup, control characters and half of a surrogate pair."""

    def loss(self, *arguments):
        raise ValueError("``` | a\\n# b <script>alert(1)</script> \\x1b[31m \\x00 ]]> &amp; \\ud800 `x` $y$ @z")


class Nothing:
    """No method at all."""
'''
NAMES = {"faulty": "own_adapters:NoDepthScaling", **{name: f"own_adapters:{name.title()}" for name in ("partial", "hostile", "nothing")}}


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    root = tmp_path_factory.mktemp("runs")
    (root / "own_adapters.py").write_text(ADAPTERS)
    sys.path.insert(0, str(root))

    def make(name: str) -> Path:
        if not (root / name / "summary.json").exists():
            specs = [Spec.model_validate(s) for s in SPECS]
            run(make_plan(specs=specs, implementation=NAMES.get(name, name)), root / name)
        return root / name

    yield make
    sys.path.remove(str(root))


@pytest.fixture
def run_of(_made: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy, made for the test, of the run of an implementation: numpy, torch, faulty, partial, hostile or nothing."""

    def copied(name: str) -> Path:
        target = tmp_path / name
        shutil.copytree(_made(name), target)
        return target

    return copied
