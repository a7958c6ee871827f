"""Results as tables of plain text, which the page and the document share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[str, ...]
GOALS_NOTE = (
    "Peers: the same number of the others; of right-hand sides, small instances and flows, in times of what the compiled one takes."
)


@dataclass(frozen=True)
class Table:
    """`absolute`: columns that hold for this machine only."""

    title: str
    header: Row
    rows: Sequence[Row]
    absolute: tuple[int, ...] = ()
    note: str = ""

    def carried(self) -> Table:
        """Without what holds for this machine only."""

        def keep(line: Row) -> Row:
            return tuple(cell for i, cell in enumerate(line) if i not in self.absolute)

        return Table(self.title, keep(self.header), [keep(line) for line in self.rows], (), self.note)


def text(value: float | None, digits: int = 3) -> str:
    """A number for reading."""
    if value is None:
        return "–"
    if 1 <= abs(value) < 1e5:
        digits = max(digits, math.floor(math.log10(abs(value))) + 1)
    return f"{value:.{digits}g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "−")


def spread(values: Mapping[str, float]) -> str:
    """Median and quartiles."""
    return f"{text(values['median'])} ({text(values['lower'])}–{text(values['upper'])})"


def sizes(values: Mapping[str, int]) -> str:
    """`q = 16, m = 32`."""
    return ", ".join(f"{k} = {v}" for k, v in values.items())


def machine(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What ran, as names and words."""
    pairs = [
        ("processor", f"{found['cpu']}, {found['cores']} cores"),
        ("caches", ", ".join(f"{k} {v}" for k, v in found["cache"].items())),
        ("product rate", f"{text(found['product_rate'])} GFLOP/s, a float64 product of 1500 × 1500 on one thread"),
        ("BLAS kernels", ", ".join(f"{k} {v}" for k, v in found["blas"].items())),
        ("environment", ", ".join(f"{k}={v}" for k, v in found["environment"].items())),
        ("versions", ", ".join(f"{k} {v}" for k, v in found["versions"].items())),
    ]
    return [(name, words) for name, words in pairs if words]


def goals(judged: Sequence[Mapping[str, Any]]) -> Table:
    """Goal, measured, peers, reached, what limits."""
    signs = {"<=": "≤", ">=": "≥"}
    rows = []
    for g in judged:
        reached = {True: "✓ yes", False: "✗ no", None: "not measured"}[g["reached"]]
        limit = f"misses by a factor {text(g['misses_by'])}: {g['limit']}" if "limit" in g else ""
        rows.append((g["goal"], f"{signs[g['relation']]} {text(g['target'])}", text(g["measured"]), g["peers"], reached, limit))
    return Table("Goals", ("goal", "target", "measured", "peers", "reached", "what limits"), rows, (), GOALS_NOTE)


def rhs(found: Mapping[str, Any]) -> list[Table]:
    """Per depth."""
    header = ("contestant", "µs per layer", "times compiled", "share of the product rate", "off compiled", "turns")
    return [
        Table(
            f"L = {d['L']}, {sizes(found['sizes'])}",
            header,
            [
                (r["name"], spread(r["time"]), spread(r["ratio"]), text(r["share"]), text(d["apart"].get(r["name"]), 1), str(r["turns"]))
                for r in d["rows"]
            ]
            + [(name, "not installed", "–", "–", "–", "–") for name in found["not_installed"]],
            (1,),
            "Loss and all gradients. Attainable: the six products of a layer and its activations, alone.",
        )
        for d in found["depths"]
    ]


def small(found: Mapping[str, Any]) -> list[Table]:
    """Random shapes, one shape."""
    header = ("contestant", "µs each", "times compiled", "off compiled", "turns")
    return [
        Table(
            f"{found['count']} networks of {name}",
            header,
            [(r["name"], spread(r["time"]), spread(r["ratio"]), text(f["apart"][r["name"]], 1), str(r["turns"])) for r in f["rows"]],
            (1,),
        )
        for name, f in ((name, found[name]) for name in ("random shapes", "one shape"))
    ]


def flows(found: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Per problem."""
    header = ("contestant", "ms", "times compiled", "evaluations", "tolerance", "error", "turns")
    return [
        Table(
            f"t = {text(f['T'])}, {sizes(f['sizes'])}",
            header,
            [
                (
                    r["name"],
                    spread(r["time"]),
                    spread(r["ratio"]),
                    str(r["evaluations"]),
                    text(r["tolerance"], 2),
                    text(r["error"], 2),
                    str(r["turns"]),
                )
                for r in f["rows"]
            ]
            + [(name, "not installed", "–", "–", "–", "–", "–") for name in f["not_installed"]],
            (1,),
            f"The largest tolerance with which the displacement is off by at most {text(f['target'])} of its norm. Of our time "
            f"{f['inside']:.0%} are spent within right-hand sides, the rest in the stepper.",
        )
        for f in found
    ]


def scaling(found: Sequence[Mapping[str, Any]]) -> list[Table]:
    """One row per axis."""
    rows = [
        (
            f["axis"],
            ", ".join(map(str, f["sizes"])),
            ", ".join(text(t["median"]) for t in f["times"]),
            text(f["exponent"]),
            text(f["error"], 1),
        )
        for f in found
    ]
    return [Table("Fitted exponents", ("axis", "sizes", "ms", "exponent", "standard error"), rows, (2,))]


def memory(found: Mapping[str, Any]) -> list[Table]:
    """One row per way."""
    rows = [
        (
            w["name"],
            ", ".join(map(str, w["depths"])),
            ", ".join(text(b / 2**20) for b in w["bytes"]),
            text(w["exponent"]),
            text(w["error"], 1),
        )
        for w in found["ways"]
    ]
    return [
        Table(
            f"Beyond parameters and gradients, {sizes(found['sizes'])}",
            ("way", "depths", "MiB", "exponent", "standard error"),
            rows,
        )
    ]


def figure1(found: Mapping[str, Any]) -> list[Table]:
    """One row per depth; ≈ where fewer iterations were measured and multiplied."""

    def seconds(d: Mapping[str, Any], name: str) -> str:
        return ("≈ " if d[name]["extrapolated"] else "") + text(d[name]["seconds"])

    rows = [
        (
            str(d["L"]),
            *(seconds(d, name) for name in ("authors", "compiled", "flow")),
            *(text(d["authors"]["seconds"] / d[name]["seconds"]) for name in ("compiled", "flow")),
            f"{d['authors']['measured']}, {d['compiled']['measured']}",
            text(d["compiled"].get("error"), 2),
            text(d["flow"].get("error"), 2),
        )
        for d in found["depths"]
    ]
    total = found["total"]
    last = [text(total["authors"] / total[name]) for name in ("compiled", "flow")]
    rows.append(("all", *(f"≈ {text(total[name])}" for name in ("authors", "compiled", "flow")), *last, "", "", ""))
    header = (
        "L",
        "authors' way, s",
        "compiled descent, s",
        "flow, s",
        "descent: times faster",
        "flow: times faster",
        "iterations measured",
        "error of the descent",
        "error of the flow",
    )
    note = (
        f"{found['iterations']} iterations with learning rate L × {text(found['step'])}, or the flow to t = "
        f"{text(found['iterations'] * found['step'])}. ≈: iterations measured, and multiplied; of the flow, the time of an iteration times "
        "the evaluations at smaller depths. Errors are relative to the displacement, against the flow at rtol 1e−13."
    )
    return [Table(sizes(found["sizes"]), header, rows, (1, 2, 3), note)]


def suite(found: Sequence[Mapping[str, Any]]) -> list[Table]:
    """By the clock."""
    rows = [(r["name"], text(r["seconds"]), str(r["status"]), r["said"]) for r in found]
    return [Table("By the clock", ("what", "s", "status", "last line"), rows)]


def gpu(found: Mapping[str, Any]) -> list[Table]:
    """Batches of networks, or why not."""
    if found["device"] is None:
        return [Table("Batches of networks", (), [], (), found["note"])]
    rows = [(str(b["networks"]), b["how"], text(b["seconds"] * 1e3), text(b["share"])) for b in found["batches"]]
    return [Table(f"{found['device']}", ("networks", "how", "ms", "share of the product rate"), rows, (2,))]


TABLES = {
    "rhs": rhs,
    "small": small,
    "flows": flows,
    "scaling": scaling,
    "memory": memory,
    "figure1": figure1,
    "suite": suite,
    "tests": suite,
    "gpu": gpu,
}
