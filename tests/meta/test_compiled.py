"""The compiled implementation: its elementary functions in ulp, batches and threads to the bit, memory, and where machine code is kept.

That it answers rightly is tested with the others, in `test_implementations.py`.
"""

from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from numba.core import config

from depthlimit.models import activations
from depthlimit.models.check import check
from depthlimit.models.compiled import caching, sigma
from depthlimit.models.compiled.caching import entry, inner
from depthlimit.models.compiled.elementary import FAR
from depthlimit.models.compiled.implementation import RightHandSide
from depthlimit.models.implementation import load
from depthlimit.models.residual import Workspace
from depthlimit.models.spec import Spec
from depthlimit.models.strategies import draw
from depthlimit.models.verify import as_registered
from depthlimit.theory import judgement as J
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.quantity import Array

BLOCKS = ("A", "V", "W", "B")
CLIPS = (None, {"kind": "radial", "radius": 0.3}, {"kind": "smooth", "radius": 0.4}, {"kind": "coordinate", "radius": 0.2})
# Largest errors of φ and φ' in ulp of the result; unfused products and sums included.
ULP = {"tanh": (3, 5), "sin": (2.5, 2.5), "erf": (2, None), "arctan": (2.5, 2.5), "one_minus_gauss": (2.5, None)}


def network(seed: int, q: int = 3, m: int = 4, L: int = 7, n: int = 5, clip: Any = None, train: str = "AVWB", phi: str = "tanh") -> Any:
    """The arguments of a call, d = 2 and dout = 1."""
    r = np.random.RandomState(seed)
    spec = {"version": 1, "d": 2, "dout": 1, "q": q, "m": m, "L": L, "n": n, "train": train, "rtol": 1e-9, "clip": clip}
    spec["activation"] = {"name": phi, "a": 0.9, "b": 1.1}
    params = {"A": r.randn(q, 2), "V": r.randn(L, q, m), "W": r.randn(L, m, q), "B": r.randn(1, q)}
    return spec, params, r.randn(n, 2), r.randn(n, 1)


@inner
def _activate(name: int, u: Array, s: Array, d: Array) -> None:
    sigma.activate(name, 1.0, 1.0, u, s, d)


def points(periodic: bool) -> Array:
    """Small and large, on both sides of where formulas change, and beside the zeros of sin and cos, where the reduction cancels most."""
    r = np.random.RandomState(0)
    spread = np.concatenate([scale * r.randn(60) for scale in (1e-8, 1e-3, 0.1, 1, 3, 6)] + [r.uniform(-2, 2, 300)])
    edges = np.array([math.tan(math.pi / 8), 1 / math.tan(math.pi / 8), 1.0, 6.0, math.log(2) / 4, 350.0, 26.0])
    edges = np.concatenate([np.nextafter(edges, 0), edges, np.nextafter(edges, 1e3)])
    if periodic:
        k = np.concatenate([np.arange(1, 60), r.randint(60, int(FAR * 2 / math.pi), 100)])
        edges = np.concatenate([k * math.pi / 2, np.nextafter(k * math.pi / 2, 0), r.uniform(0, FAR, 100)])
    return np.concatenate([spread, edges, -edges, [0.0, -0.0]])


@pytest.mark.parametrize("beyond", [False, True], ids=["near", "beyond the reduction"])
@pytest.mark.parametrize("name", CATALOGUE)
def test_activations_are_within_the_radii_and_a_few_ulp(name: str, beyond: bool) -> None:
    periodic = name in ("sin", "one_minus_cos")
    u = points(periodic)
    if beyond:  # one such argument sends the whole array to the library
        u = np.append(u[:200], [1e9, -1e15] if periodic else [800.0, -1e5])
    assert not periodic or bool(np.max(np.abs(u)) > FAR) == beyond
    value, slope = np.empty_like(u), np.empty_like(u)
    _activate(sigma.NAMES.index(name), u, value, slope)
    (variable,) = CATALOGUE[name].expr.free_symbols
    phi = {"name": name, "a": 1.0, "b": 1.0}
    formulas = (
        (CATALOGUE[name].expr, activations.evaluation_error, value),
        (CATALOGUE[name].derivative(), activations.derivative_error, slope),
    )
    for (expression, radius, found), allowed in zip(formulas, ULP.get(name, (None, None)), strict=True):
        function = sp.lambdify(variable, expression, "mpmath")
        for x, got, r in zip(u.tolist(), found.tolist(), radius(phi, u).tolist(), strict=True):
            with mpmath.workdps(60 + int(min(x * x / 4 + abs(x), 3000))):
                exact = function(mpmath.mpf(x))
                error = float(abs(got - exact))
            assert error <= r, (x, error / r)
            if allowed is not None and abs(float(exact)) > 1e-290:
                assert error <= allowed * np.spacing(abs(float(exact))), x


def test_a_batch_is_its_calls_to_the_last_bit_whatever_else_is_in_it() -> None:
    found = load("compiled")
    cases = [network(j, q=3 + j % 2, clip=CLIPS[j % 4], train="VW" if j % 3 else "AVWB", n=2 + 30 * (j % 5 == 0)) for j in range(24)]
    for method in ("forward", "loss", "gradients", "velocity", "flow"):
        extra = (np.array([0.0, 0.1]),) if method == "flow" else ()
        calls = [case[:3] if method == "forward" else (*case, *extra) for case in (cases[:3] if extra else cases)]
        alone = [getattr(found, method)(*call) for call in calls]
        for order in (range(len(calls)), range(len(calls))[::-1], [1, 1, 0]):
            for i, got in zip(order, found.batch(method, [calls[i] for i in order]), strict=True):
                if method == "loss":
                    assert type(got) is float and got == alone[i]
                else:
                    assert got.keys() == alone[i].keys() and all(np.array_equal(got[k], alone[i][k]) for k in got), (method, i)


def test_threads_side_by_side_give_what_one_gives() -> None:
    found, cases = load("compiled"), [network(j, q=8, m=16, L=50, n=40 + j) for j in range(16)]
    expected = [found.gradients(*case) for case in cases]
    with ThreadPoolExecutor(4) as pool:
        for got, one in zip(pool.map(lambda case: found.gradients(*case), cases * 4), expected * 4, strict=True):
            assert all(np.array_equal(got[k], one[k]) for k in BLOCKS)


@pytest.mark.parametrize("L", [1, 2, 3, 4, 5, 9, 10, 50])
def test_checkpoints_change_no_bit(L: int) -> None:
    for clip in CLIPS:
        spec, params, x, y = network(L, L=L, clip=clip)
        theta = [params[k][None] for k in BLOCKS]
        answers = [RightHandSide(spec, checkpoint=c)("velocity", theta, x[None], y[None], Workspace()) for c in (False, True)]
        assert all(np.array_equal(answers[0][k], answers[1][k]) for k in (*BLOCKS, "loss"))
        assert answers[0]["change"] == pytest.approx(answers[1]["change"], rel=1e-13)  # added up by span


class Counted(Workspace):
    """A workspace that knows how many numbers it holds."""

    def held(self) -> int:
        return sum(array.size for array in self._kept.values())


@pytest.mark.parametrize("checkpoint", [False, True])
def test_checkpoints_need_memory_of_order_root_L_beyond_the_answer(checkpoint: bool) -> None:
    q, m, n = 3, 4, 5
    for L in (16, 256, 4096):
        spec, params, x, y = network(0, q, m, L, n)
        work, out = Counted(), Counted()
        RightHandSide(spec, work, checkpoint)("gradients", [params[k][None] for k in BLOCKS], x[None], y[None], out)
        assert out.held() == sum(a.size for a in params.values()) + n + 2  # the gradients, the output, the loss and its change
        kept = math.isqrt(L) if checkpoint else L  # layers in a span, of which h, σ and σ' are kept
        starts = math.isqrt(L) if checkpoint else 1
        assert work.held() == starts * n * q + (kept + 1) * n * q + 2 * kept * n * m + n * m + n * q


def test_the_rate_of_change_of_the_loss_is_that_of_the_velocity() -> None:
    for clip in CLIPS:
        for train in ("AVWB", "VW"):
            spec, params, x, y = network(3, clip=clip, train=train)
            loss, velocity, change = RightHandSide(spec).rates(x, y)(params)
            ours = load("numpy")
            gradient = ours.gradients(spec, params, x, y)
            assert loss == pytest.approx(ours.loss(spec, params, x, y), rel=1e-13)
            # Sums of some 200 terms of one sign, each wrong by some 100 roundings.
            assert change == pytest.approx(sum(np.vdot(gradient[k], velocity[k]) for k in BLOCKS), rel=1e-12)


def test_what_is_missing_is_declined_and_other_dtypes_are_refused() -> None:
    spec, params, x, y = network(0)
    found = load("compiled")
    with pytest.raises(NotImplementedError, match="softplus"):
        found.forward({**spec, "activation": {"name": "softplus", "a": 1.0, "b": 1.0}}, params, x)
    with pytest.raises(NotImplementedError, match="square"):
        found.velocity({**spec, "clip": {"kind": "square", "radius": 1.0}}, params, x, y)
    with pytest.raises(TypeError, match="float32"):
        found.forward(spec, params, x.astype(np.float32))


def test_generated_networks_raise_no_alarm() -> None:
    records = [r for spec in draw("network", 20, 5) for r in check(spec, load("compiled"))[0]]
    assert not [r for r in records if not as_registered(r)]
    assert sum(r["verdict"] == J.HOLDS for r in records) > 200


def test_a_spec_at_the_papers_size_agrees() -> None:
    sizes = {"d": 10, "dout": 1, "q": 16, "m": 32, "L": 64, "n": 100}
    spec = {"regime": {"kind": "network"}, **sizes, "times": [0.0], "init": {"kind": "gp", "seed": 1}}
    records = check(Spec.model_validate(spec), load("compiled"))[0]
    assert not [r for r in records if not as_registered(r)]
    assert {r["claim"] for r in records if r["verdict"] == J.HOLDS} >= {"agreement.hidden", "agreement.gradient-W", "agreement.velocity-V"}


# --- compiling


def test_numba_is_imported_by_those_who_use_it_only() -> None:
    code = "import sys, depthlimit.models.verify as v\nfrom depthlimit.models.implementation import load\nload('numpy')\n"
    code += "sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _one(x: float) -> float:
    return x + 1


def test_machine_code_lies_in_a_folder_named_by_all_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    assert entry(_one)(1.0) == 2.0
    assert list(caching.folder().rglob("*.nbc")) and caching.folder().parent.parent == tmp_path
    assert str(tmp_path) == config.CACHE_DIR, "a setting of the user's was changed"
    before = caching.folder()
    copy = tmp_path / "caching.py"
    copy.write_text("changed")
    monkeypatch.setattr(caching, "__file__", str(copy))
    assert caching.folder() != before


def test_without_a_folder_that_can_be_written_each_process_compiles_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("read-only")

    monkeypatch.setattr("numba.core.caching._CacheLocator.ensure_cache_path", refuse)
    assert entry(_one)(1.0) == 2.0
