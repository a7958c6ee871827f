"""What `constants` and `differences` print: options made into Specs, and tables made into lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from depthlimit.models.spec import BadInput, Spec

if TYPE_CHECKING:
    from depthlimit.theory.difference import Difference

DEPTHS = (8, 16, 32, 64)  # of the networks beside the neural ODE; its constants do not depend on them
DEFAULTS: dict[str, Any] = {"d": 2, "dout": 2, "q": 4, "m": 4, "L": 8, "n": 3}
SMOOTH_INITS = ("paper", "gp", "fourier")
_WIDE = 1e-6  # relative width from which both ends of an enclosure are shown
_PATHS = {
    **{key: (key,) for key in (*DEFAULTS, "T")},
    **{"activation": ("activation", "name"), "a": ("activation", "a"), "b": ("activation", "b")},
    **{"clip": ("clip", "kind"), "radius": ("clip", "radius"), "init": ("init", "kind"), "seed": ("init", "seed")},
    "label_scale": ("data", "label_scale"),
}


def specs_of(options: Mapping[str, Any]) -> list[Spec]:
    """A clipped flow for Propositions 3 and 7 and a neural ODE for Proposition 2, of the sizes that the options give.

    The ODE starts from a Gaussian process unless `init` is given: at the paper's initialisation it is at rest, and its constants are 0.
    Raises BadInput naming option, value and what is accepted.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if given.get("init", "paper") not in SMOOTH_INITS:
        raise BadInput(f"--init {given['init']}: accepted are {', '.join(SMOOTH_INITS)}")
    flow: dict[str, Any] = {"regime": {"kind": "clipped-flow"}, "clip": {"kind": "coordinate", "radius": 0.25}, "init": {"kind": "paper"}}
    ode: dict[str, Any] = {"regime": {"kind": "euler-scheme", "depths": DEPTHS}, "init": {"kind": "gp"}}
    return [_spec({**DEFAULTS, **base}, given) for base in (flow, ode)]


def _spec(base: dict[str, Any], given: Mapping[str, Any]) -> Spec:
    value: dict[str, Any] = {**base, "activation": {"name": "tanh"}, "data": {"kind": "sphere", "seed": given.get("seed", 0)}}
    for key, entry in given.items():
        *folder, last = _PATHS[key]
        if folder != ["clip"] or "clip" in base:
            where = value
            for name in folder:
                where[name] = dict(where[name])
                where = where[name]
            where[last] = entry
    try:
        return Spec.model_validate(value)
    except ValidationError as error:
        raise BadInput("\n".join(_complaint(e, given) for e in error.errors())) from None


def _complaint(error: Any, given: Mapping[str, Any]) -> str:
    """A message that names the option: the place of an error may hold the tag of a union besides the path."""
    place = [str(part) for part in error["loc"]]
    option = next((key for key in given if place and (place[0], place[-1]) == (_PATHS[key][0], _PATHS[key][-1])), None)
    if option is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return f"--{option.replace('_', '-')} {given[option]}: {error['msg']}"


def constants_text(tables: Iterable[Mapping[str, Any]]) -> str:
    """One block per instance, in it one per statement and rung; a line per constant: name, value, definition or meaning."""
    lines: list[str] = []
    for table in tables:
        spec = table["spec"]
        sizes = " ".join(f"{key}={spec[key]}" for key in (*DEFAULTS, "T"))
        sigma, clip = spec["activation"], spec["clip"]
        lines.append(f"{table['regime']}: {sizes}, {sigma['a']:g} {sigma['name']}({sigma['b']:g} u), init {spec['init']['kind']}")
        lines[-1] += f", clip {clip['kind']} {clip['radius']:g}" if clip else ""
        for (item, edition, inputs), rows in groupby(table["constants"], key=lambda r: (r["item"], r["edition"], r["inputs"])):
            lines.append("  " + ", ".join(part for part in (item, edition, inputs) if part))
            for row in rows:
                about = f"= {row['definition']}" if row["definition"] else row["meaning"]
                about = f"its bound {about}" if row["kind"] == "bound" else about
                lines.append(f"    {row['name']:<12} {value_text(row):<24} {about}".rstrip())
        lines.append("")
    return "\n".join(lines).rstrip()


def value_text(row: Mapping[str, Any]) -> str:
    """An enclosure in decimal digits: one number where its ends agree in the digits shown, else both ends; towers as powers of ten."""
    low, high = row["lower"], row["upper"]
    if row["reason"]:
        return f"? ({row['reason']})"
    if high is None:
        return "infinite" if low is None else f"{low:.5g} .. infinite"
    form = {"linear": "{}", "log10": "10^{}", "log10log10": "10^(10^{})"}[row["scale"]]
    if low is None or high - low > _WIDE * abs(high):
        return f"{form.format('?' if low is None else f'{low:.5g}')} .. {form.format(f'{high:.5g}')}"
    return form.format(f"{low / 2 + high / 2:.10g}")


def differences_text(found: Iterable[Difference]) -> str:
    """One block per difference."""
    blocks = []
    for one in found:
        lines = [
            f"{one.id}\n  {one.source}: {one.kind}",
            f"  printed      {one.printed}\n  corrected    {one.corrected}",
            f"  consequence  {one.consequence}",
            *(f"  evidence     {text}" for text in one.evidence),
            f"  replay       {one.replay}",
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
