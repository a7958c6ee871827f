"""Wrong laws of motion (4) and (5), followed by their own flows: factors, signs, blocks that rest, and wrong clips."""

from __future__ import annotations

import numpy as np

from depthlimit.conformance.faults.planting import Fault, Faulty
from depthlimit.conformance.faults.written import BLOCKS, Change, layer, times, wrong
from depthlimit.models import flow
from depthlimit.models.clip import clip, project
from depthlimit.models.implementation import Array, Arrays, Network


def _clip(**instead: object) -> Change:
    """The law with another clip; `instead` may be functions of the clip's radius."""

    def law(s: Network, g: Arrays) -> dict[str, Array]:
        r = s["clip"]["radius"]
        changed = {k: v(r) if callable(v) else v for k, v in instead.items()}
        return flow.velocity({**s, "clip": {**s["clip"], **changed}}, g)

    return law


def _clipped(law: Change) -> Change:
    """A law for networks with a clip and the blocks that train; others move as they should."""

    def changed(s: Network, g: Arrays) -> dict[str, Array]:
        if s["clip"] is None:
            return flow.velocity(s, g)
        return {k: v if k in s["train"] else np.zeros_like(v) for k, v in law(s, g).items()}

    return changed


def _blockwise(what: Change) -> Change:
    """The law that does this to each block's descent direction (L times that of V and W)."""
    return lambda s, g: {k: what(s, -(s["L"] if k in "VW" else 1) * g[k]) for k in BLOCKS}


def _apart(s: Network, g: Array) -> Array:
    return project(s["clip"], g)[0]


def _all_layers(s: Network, g: Arrays) -> dict[str, Array]:
    V, W = (-s["L"] * g[k] for k in "VW")
    together = project(s["clip"], V.reshape(1, -1), W.reshape(1, -1))
    return {**flow.velocity(s, g), "V": together[0].reshape(V.shape), "W": together[1].reshape(W.shape)}


def _ends_together(s: Network, g: Arrays) -> dict[str, Array]:
    A, B = project(s["clip"], -g["A"].reshape(1, -1), -g["B"].reshape(1, -1))
    return {**flow.velocity(s, g), "A": A.reshape(g["A"].shape), "B": B.reshape(g["B"].shape)}


def _ends_free(s: Network, g: Arrays) -> dict[str, Array]:
    return {**flow.velocity(s, g), "A": -g["A"], "B": -g["B"]}


def _before_L(s: Network, g: Arrays) -> dict[str, Array]:
    V, W = (s["L"] * v for v in clip(s, "Z", -g["V"], -g["W"]))
    return {**flow.velocity(s, g), "V": V, "W": W}


def _radial(norm: Change) -> Change:
    """g min(1, r/norm), block by block as it should be, with another norm."""

    def law(s: Network, g: Arrays) -> dict[str, Array]:
        r, Z = s["clip"]["radius"], [-s["L"] * g[k] for k in "VW"]
        joint = np.concatenate([v.reshape(len(v), -1) for v in Z], axis=1)
        factor = np.array([min(1.0, r / norm(v)) for v in joint])[:, None, None]
        return {**{k: -min(1.0, r / norm(g[k].ravel())) * g[k] for k in "AB"}, "V": factor * Z[0], "W": factor * Z[1]}

    return law


def _normalised(s: Network, g: Arrays) -> dict[str, Array]:
    """r g/|g| whatever the size of g."""
    return flow.velocity({**s, "clip": {**s["clip"], "kind": "radial"}}, {k: 1e9 * v for k, v in g.items()})


class PerSample(Faulty):
    """Each sample's descent direction is clipped, and then their mean is taken."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The mean of the clips."""
        each = [flow.velocity(spec, self.gradients(spec, params, x[i : i + 1], y[i : i + 1])) for i in range(len(x))]
        return {k: np.mean([v[k] for v in each], axis=0) for k in BLOCKS}


_V, _W, _A, _B = (f"eq4.{k} agreement.velocity-{k}" for k in ("V", "W", "A", "B"))
_Z, _ENDS = f"{_V} {_W}", f"{_A} {_B}"
_Z5, _A5, _B5 = "eq5.V eq5.W agreement.velocity-V", "eq5.A agreement.velocity-A", "eq5.B agreement.velocity-B"
_SPEED = "prop7.speed[as-printed,instantaneous]"
FAULTS: tuple[Fault, ...] = (
    wrong(
        "flow-forgets-L",
        "the factor L of (4) is missing",
        "plain",
        f"{_Z} eq1.flow identities.balance identities.energy-rate",
        "The flow uses the plain gradient of Z.",
        answers={"velocity": times(lambda s: 1 / s["L"], "VW")},
    ),
    wrong(
        "flow-has-L-twice",
        "the factor L of (4) is there twice",
        "plain",
        f"{_Z} identities.energy-rate",
        answers={"velocity": times(lambda s: s["L"], "VW")},
    ),
    wrong(
        "flow-with-root-L",
        "the factor L of (4) is √L",
        "plain",
        f"{_Z} identities.energy-rate",
        answers={"velocity": times(lambda s: s["L"] ** -0.5, "VW")},
    ),
    wrong(
        "flow-with-L-on-ends",
        "A and B move with the factor L too",
        "plain",
        f"{_ENDS} identities.balance",
        answers={"velocity": times(lambda s: s["L"], "AB")},
    ),
    wrong(
        "ascent",
        "the sign of (4) is wrong",
        "plain",
        f"{_Z} {_ENDS} identities.energy-rate identities.displacement",
        "The flow climbs the loss.",
        answers={"velocity": times(lambda s: -1.0)},
    ),
    wrong(
        "ascent-of-B",
        "the sign of (4) is wrong for B",
        "plain",
        f"{_B} identities.balance identities.B-growth",
        answers={"velocity": times(lambda s: -1.0, "B")},
    ),
    wrong(
        "train-ignored",
        'spec["train"] is ignored',
        "weights-only",
        _ENDS,
        "A and B move although V and W alone are trained.",
        law=lambda s, g: flow.velocity({**s, "train": "AVWB"}, g),
    ),
    wrong("V-frozen", "V does not move", "plain", f"{_V} identities.balance", answers={"velocity": times(lambda s: 0.0, "V")}),
    wrong("W-frozen", "W does not move", "plain", f"{_W} identities.balance", answers={"velocity": times(lambda s: 0.0, "W")}),
    wrong(
        "ends-frozen",
        "A and B do not move",
        "plain clipped",
        "eq4.A eq4.B eq5.A eq5.B",
        "A and B do not train although they should.",
        law=lambda s, g: flow.velocity({**s, "train": "VW"}, g),
    ),
    wrong(
        "last-layer-frozen",
        "the last layer does not move",
        "plain clipped",
        "eq4.V eq5.W identities.balance-layer",
        answers={"velocity": layer(-1)},
    ),
    wrong("first-layer-frozen", "the first layer does not move", "plain", f"{_Z} identities.balance-layer", answers={"velocity": layer(0)}),
    wrong(
        "velocity-decays",
        "there is a penalty in the velocity",
        "plain",
        f"{_W} identities.conserved-matrix",
        "Weights decay by 1e-6 θ.",
        answers={"velocity": lambda v, s, p, *_: {k: a - 1e-6 * p[k] for k, a in v.items()}},
    ),
    # the clip of (5)
    wrong("clip-ignored", "the clip is missing", "saturated", f"{_Z5} {_SPEED}", law=lambda s, g: flow.velocity({**s, "clip": None}, g)),
    wrong("clip-before-L", "the clip acts before the factor L", "clipped saturated", f"{_Z5} {_SPEED}", law=_clipped(_before_L)),
    wrong(
        "clip-V-W-apart",
        "V and W are clipped apart",
        "saturated",
        f"{_Z5} {_SPEED}",
        "The radial clip takes the norms of V_k and W_k one by one.",
        law=_clipped(_blockwise(_apart)),
    ),
    wrong("clip-layers-together", "all layers are clipped as one vector", "saturated", _Z5, law=_clipped(_all_layers)),
    wrong("clip-ends-together", "A and B are clipped as one vector", "saturated", f"{_A5} {_B5}", law=_clipped(_ends_together)),
    wrong("clip-spares-ends", "A and B are not clipped", "saturated", f"{_A5} {_B5}", law=_clipped(_ends_free)),
    wrong(
        "clip-per-sample",
        "the clip acts on samples, before their mean",
        "saturated clipped",
        f"{_Z5} {_A5}",
        of=PerSample,
    ),
    wrong(
        "clip-radius-doubled",
        "the radius of the clip is wrong",
        "saturated",
        f"{_Z5} {_SPEED}",
        "The clip has twice its radius.",
        law=_clipped(_clip(radius=lambda r: 2 * r)),
    ),
    wrong(
        "clip-radius-per-entry",
        "the radius of the clip is wrong",
        "saturated",
        _Z5,
        "The radius is divided by the root of V_k's size.",
        law=_clipped(lambda s, g: _clip(radius=lambda r: r / (s["q"] * s["m"]) ** 0.5)(s, g)),
    ),
    wrong(
        "clip-by-largest-entry",
        "the norm in the radial clip is wrong",
        "saturated",
        _Z5,
        "It is that of the largest entry.",
        law=_clipped(_radial(lambda v: float(np.max(np.abs(v))))),
    ),
    wrong(
        "clip-by-sum",
        "the norm in the radial clip is wrong",
        "saturated",
        _Z5,
        "It is the sum of the entries' sizes.",
        law=_clipped(_radial(lambda v: float(np.sum(np.abs(v))))),
    ),
    wrong(
        "clip-with-epsilon",
        "the norm in the radial clip is wrong",
        "saturated",
        _Z5,
        "1e-6 is added to it, lest it vanish.",
        law=_clipped(_radial(lambda v: float(np.linalg.norm(v)) + 1e-6)),
    ),
    wrong(
        "clip-always",
        "the radial clip stretches what lies inside",
        "inside",
        _Z5,
        "It returns r g/|g|, not g min(1, r/|g|).",
        law=_clipped(_normalised),
    ),
    wrong(
        "clip-tanh-unscaled",
        "the smooth clip is r tanh(g)",
        "clipped",
        f"{_Z5} {_A5}",
        law=_clipped(_blockwise(lambda s, g: s["clip"]["radius"] * np.tanh(g))),
    ),
    wrong(
        "clip-tanh-without-r",
        "the smooth clip is tanh(g/r)",
        "clipped",
        f"{_Z5} {_A5}",
        law=_clipped(_blockwise(lambda s, g: np.tanh(g / s["clip"]["radius"]))),
    ),
    wrong(
        "clip-radial-as-coordinate",
        "one kind of clip is taken for another",
        "saturated",
        _Z5,
        "Radial is entry by entry.",
        law=_clipped(_clip(kind="coordinate")),
    ),
    wrong(
        "clip-coordinate-as-radial",
        "one kind of clip is taken for another",
        "cube",
        _Z5,
        "Coordinate is radial.",
        law=_clipped(_clip(kind="radial")),
    ),
    wrong(
        "clip-smooth-as-coordinate",
        "one kind of clip is taken for another",
        "clipped",
        f"{_Z5} {_A5}",
        "Smooth is cut off.",
        law=_clipped(_clip(kind="coordinate")),
    ),
    wrong(
        "wide-clip",
        "the radius of the clip is wrong",
        "cube",
        "section3.clip-entries section3.clip-projection eq5.V",
        "The clip lets through a tenth more than its radius.",
        law=_clipped(_clip(radius=lambda r: 1.1 * r)),
    ),
)
