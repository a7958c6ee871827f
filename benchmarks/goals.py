"""The goals: one list, each with the number to reach, how it is read off the results, and what limits where it is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu import GOAL as GPU_SHARE
from benchmarks.timing import row

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """`reads` gives the measured number, None or None; `limit` says what keeps it from the target, `peers` what others reach."""

    text: str
    relation: str
    target: float
    reads: Callable[[Results], float | None]
    limit: str | Callable[[Results], str]
    peers: Callable[[Results], str] = lambda results: ""


def _rhs(name: str, L: int) -> Callable[[Results], float | None]:
    def reads(results: Results) -> float | None:
        depth = next((d for d in results["rhs"]["depths"] if d["L"] == L), None)
        line = depth and row(depth, name)
        return line["ratio"]["median"] if line else None

    return reads


def _bound(name: str, L: int) -> Callable[[Results], str]:
    """What the ratio could be at most."""

    def says(results: Results) -> str:
        ratio, least = _rhs(name, L)(results), _rhs("attainable", L)(results)
        assert ratio and least
        return f"products by the kernels that BLAS has chosen here and the activations, alone, would allow {ratio / least:.3g}"

    return says


def _inside(results: Results) -> str:
    found = results["flows"][0]
    ours, calls = found["rows"][0]["evaluations"], {r["name"]: r["evaluations"] for r in found["rows"]}
    others = ", ".join(f"{name.partition(',')[0]} {n}" for name, n in calls.items() if name.endswith("hand-written"))
    return f"{found['inside']:.0%} of our time are spent in right-hand sides, the rest in SciPy's stepper; evaluations: {ours} ({others})"


def _attainable(results: Results) -> float | None:
    ratio = _rhs("attainable", 64)(results)
    return 1 / ratio if ratio else None


def _small(name: str, key: str) -> Callable[[Results], float | None]:
    return lambda results: row(results["small"]["random shapes"], name)[key]["median"]  # type: ignore[index]


def _exponent(axis: str) -> Callable[[Results], float | None]:
    return lambda results: next((f["exponent"] for f in results["scaling"] if f["axis"] == axis), None)


def _off_linear(results: Results) -> float | None:
    slope = _exponent("L")(results)
    return None if slope is None else abs(slope - 1)


def _memory(results: Results) -> float | None:
    return next((w["exponent"] for w in results["memory"]["ways"] if w["name"] == "compiled, checkpoints"), None)


def _flow(library: str, how: str) -> Callable[[Results], float | None]:
    """Against the best method of that library."""

    def reads(results: Results) -> float | None:
        lines = [r for r in results["flows"][0]["rows"] if r["name"].startswith(library) and r["name"].endswith(how)]
        return min((r["ratio"]["median"] for r in lines), default=None)

    return reads


def _clock(section: str) -> Callable[[Results], float | None]:
    return lambda results: results[section][-1]["seconds"]  # of implementations the default is the last


def _beside(lines: Iterable[Mapping[str, Any]]) -> str:
    """The contestants of a table that are not ours, in times of what ours takes."""
    others = [r for r in lines if r["name"].partition(",")[0] not in ("compiled", "attainable")]
    return ", ".join(
        f"{r['name'].partition(', ')[0]} {r['ratio']['median']:.3g}" for r in sorted(others, key=lambda r: r["ratio"]["median"])
    )


def _rhs_peers(L: int) -> Callable[[Results], str]:
    return lambda results: _beside(next(d for d in results["rhs"]["depths"] if d["L"] == L)["rows"])


def _small_peers(results: Results) -> str:
    return _beside(results["small"]["random shapes"]["rows"])


def _flow_peers(how: str) -> Callable[[Results], str]:
    return lambda results: _beside(r for r in results["flows"][0]["rows"] if r["name"].endswith(how))


def _memory_peers(results: Results) -> str:
    return ", ".join(f"{w['name']} {w['exponent']:.3g}" for w in results["memory"]["ways"] if w["name"] != "compiled, checkpoints")


def _suite_peers(results: Results) -> str:
    return ", ".join(f"{r['name']} {r['seconds']:.3g}" for r in results["suite"][:-1])


SMALL = "two fifths of a call are Python, where arrays are checked and answers made; the rest are loops too short to vectorise"
GOALS = (
    Goal(
        "right-hand side over attainable, L = 64",
        "<=",
        1.2,
        _attainable,
        "layers read and write states between products and activations",
        _rhs_peers(64),
    ),
    Goal(
        "times faster than the authors' style, L = 64", ">=", 10, _rhs("torch autograd", 64), _bound("torch autograd", 64), _rhs_peers(64)
    ),
    Goal(
        "times faster than the authors' style, L = 1024",
        ">=",
        10,
        _rhs("torch autograd", 1024),
        _bound("torch autograd", 1024),
        _rhs_peers(1024),
    ),
    Goal("times faster than JAX jitted, L = 64", ">=", 1.5, _rhs("JAX", 64), _bound("JAX", 64), _rhs_peers(64)),
    Goal("times faster than JAX jitted, L = 1024", ">=", 1.5, _rhs("JAX", 1024), _bound("JAX", 1024), _rhs_peers(1024)),
    Goal("small instances, microseconds each", "<=", 30, _small("compiled", "time"), SMALL, _small_peers),
    Goal("small instances, times faster than torch autograd", ">=", 80, _small("torch autograd", "ratio"), SMALL, _small_peers),
    Goal("exponent of memory in L with checkpoints", "<=", 0.55, _memory, "memory beyond spans of √L layers", _memory_peers),
    Goal("cost in L ≥ 256: exponent off 1 by", "<=", 0.05, _off_linear, "states of many layers leave the cache"),
    *(
        Goal(f"cost in {axis}: exponent", "<=", 1.05, _exponent(axis), "products and states leave the cache as they grow")
        for axis in ("q", "m", "n", "batch")
    ),
    Goal(
        "flows, times faster than diffrax, hand-written", ">=", 1.5, _flow("diffrax", "hand-written"), _inside, _flow_peers("hand-written")
    ),
    Goal("flows, times faster than diffrax, autograd", ">=", 5, _flow("diffrax", "autograd"), _inside, _flow_peers("autograd")),
    Goal(
        "flows, times faster than torchdiffeq, hand-written",
        ">=",
        2,
        _flow("torchdiffeq", "hand-written"),
        _inside,
        _flow_peers("hand-written"),
    ),
    Goal("flows, times faster than torchdiffeq, autograd", ">=", 5, _flow("torchdiffeq", "autograd"), _inside, _flow_peers("autograd")),
    Goal(
        "quick verification, seconds",
        "<=",
        30,
        _clock("suite"),
        "planted faults take half of the processor time, instances a third, the report the rest",
        _suite_peers,
    ),
    Goal("all tests, seconds", "<=", 300, _clock("tests"), "tests, and cores"),
    Goal(
        "GPU: share of its product rate", ">=", GPU_SHARE, lambda results: results["gpu"]["goal"]["measured"], "kernels per layer and pass"
    ),
)


def judge(results: Results) -> list[dict[str, Any]]:
    """Per goal what was measured, whether it is reached (None: not measured), and where not, by what factor it misses and what limits."""
    judged = []
    for goal in GOALS:
        try:
            measured = goal.reads(results)
        except (KeyError, IndexError, TypeError):  # a section that was not run, or not with these sizes
            measured = None
        beside = "" if measured is None else goal.peers(results)
        reached = None if measured is None else measured <= goal.target if goal.relation == "<=" else measured >= goal.target
        entry = {
            "goal": goal.text,
            "relation": goal.relation,
            "target": goal.target,
            "measured": measured,
            "peers": beside,
            "reached": reached,
        }
        if reached is False and measured:
            entry |= {
                "misses_by": max(measured / goal.target, goal.target / measured),
                "limit": goal.limit if isinstance(goal.limit, str) else goal.limit(results),
            }
        judged.append(entry)
    return judged
