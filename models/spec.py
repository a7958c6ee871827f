"""Spec: one instance as plain JSON, frozen, hashable and tagged by its regime.

A `Spec` holds sizes, depth, horizon, activation, clip, initialisation, data and seeds, and nothing that was computed. Everything a
run needs follows from it (`depthlimit.models.realise`), so a record can be replayed from the spec that stands in it.

    >>> spec = Spec.model_validate({"regime": {"kind": "plain-flow"}, "d": 2, "dout": 1, "q": 3, "m": 4, "L": 5, "n": 2})
    >>> spec.network()["L"], spec.times
    (5, (0.0, 0.5, 1.0))
"""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

INLINE_LIMIT = 256  # numbers that an array set may hold inside the JSON; larger sets live in arrays/<sha256>.npz


class BadInput(ValueError):
    """Input that the user can correct; the command line ends with status 2 and prints the message."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sigma(_Frozen):
    """σ(u) = a φ(b u), φ from the catalogue of `depthlimit.theory.activation`."""

    name: Literal[
        "identity",
        "relu",
        "tanh",
        "sin",
        "erf",
        "arctan",
        "algebraic",
        "one_minus_cos",
        "one_minus_gauss",
        "gelu",
        "silu",
    ] = "tanh"
    a: float = Field(1.0, gt=0)
    b: float = Field(1.0, gt=0)


class Clip(_Frozen):
    """π of (5): kind and radius as in the oracle's protocol."""

    kind: Literal["coordinate", "radial", "smooth"]
    radius: float = Field(gt=0)


class ArraySet(_Frozen):
    """Named float64 arrays: inline as nested tuples, or the SHA-256 of an .npz in `arrays/`."""

    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    inline: tuple[tuple[str, tuple[int, ...], tuple[float, ...]], ...] | None = None
    source: str = ""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.sha256 is None) == (self.inline is None):
            raise ValueError("arrays: give either sha256 or inline")
        for name, shape, numbers in self.inline or ():
            size = 1
            for s in shape:
                size *= s
            if size != len(numbers) or len(numbers) > INLINE_LIMIT:
                raise ValueError(f"arrays: {name} has {len(numbers)} numbers for shape {shape} (at most {INLINE_LIMIT} inline)")
        return self


class PaperInit(_Frozen):
    """Section 3: A = (I, 0)ᵀ, B = (0, I), V_k = 0, W_k = W ~ N(0, 1) weight-tied."""

    kind: Literal["paper"] = "paper"
    seed: int = Field(0, ge=0, lt=2**32)


class GaussianProcessInit(_Frozen):
    """Section 4.3: entries of V0 and W0 independent Gaussian processes, covariance scale² exp(-(s-s')²/(2 length²))."""

    kind: Literal["gp"] = "gp"
    seed: int = Field(0, ge=0, lt=2**32)
    length: float = Field(0.5, ge=0.2, le=10)
    scale: float = Field(1.0, gt=0, le=10)


class FourierInit(_Frozen):
    """Entries scale Σ_r (α_r cos πrs + β_r sin πrs)/r, r = 1..terms, α, β ~ N(0, 1): a known Lipschitz constant."""

    kind: Literal["fourier"] = "fourier"
    seed: int = Field(0, ge=0, lt=2**32)
    terms: int = Field(2, ge=1, le=6)
    scale: float = Field(1.0, gt=0, le=10)


class IidInit(_Frozen):
    """Negative control: V_k and W_k independent standard Gaussian matrices, no smoothness in depth."""

    kind: Literal["iid"] = "iid"
    seed: int = Field(0, ge=0, lt=2**32)


class ArraysInit(_Frozen):
    """Parameters A (q,d), V (L,q,m), W (L,m,q), B (dout,q) given as arrays."""

    kind: Literal["arrays"] = "arrays"
    arrays: ArraySet


class AffineInit(_Frozen):
    """General residual networks: Z_init(s) = Z0 + s Z1, A and B given by their Frobenius norms.

    A, Z0 and B have norm `scale` and Z1 has norm `slope`, each in a direction that is uniform on the sphere.
    """

    kind: Literal["affine"] = "affine"
    seed: int = Field(0, ge=0, lt=2**32)
    scale: float = Field(0.3, ge=0, le=10)
    slope: float = Field(0.1, ge=0, le=10)


Init = Annotated[PaperInit | GaussianProcessInit | FourierInit | IidInit | ArraysInit | AffineInit, Field(discriminator="kind")]


class SampledData(_Frozen):
    """x uniform on the sphere of radius √q ("sphere") or standard Gaussian; labels Gaussian times `label_scale`.

    `labels = "orthogonal"`: Gaussian labels projected on the complement of the rows of x, so that A and B alone cannot fit them.
    """

    kind: Literal["sphere", "gaussian"] = "sphere"
    seed: int = Field(0, ge=0, lt=2**32)
    labels: Literal["gaussian", "orthogonal"] = "gaussian"
    label_scale: float = Field(1.0, ge=0, le=1e3)


class ArraysData(_Frozen):
    """Arrays x (n,d), y (n,dout); y is multiplied by `label_scale`."""

    kind: Literal["arrays"] = "arrays"
    arrays: ArraySet
    label_scale: float = Field(1.0, ge=0, le=1e3)


Data = Annotated[SampledData | ArraysData, Field(discriminator="kind")]


def _depths(depths: tuple[int, ...]) -> tuple[int, ...]:
    if len(depths) < 4 or depths[0] < 2 or any(b != 2 * a for a, b in pairwise(depths)):
        raise ValueError(f"depths must be at least 4 successive doublings from 2 on, got {list(depths)}")
    return depths


class PlainFlow(_Frozen):
    """Networks trained by (4): no clip."""

    kind: Literal["plain-flow"] = "plain-flow"


class ClippedFlow(_Frozen):
    """Networks trained by (5): with a clip."""

    kind: Literal["clipped-flow"] = "clipped-flow"


class DepthLadder(_Frozen):
    """One instance at doubling depths, trained to T: slopes in L."""

    kind: Literal["depth-ladder"] = "depth-ladder"
    depths: tuple[int, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _depths(self.depths)
        return self


class IidLadder(_Frozen):
    """Negative control: `draws` i.i.d. initialisations at doubling depths, not trained."""

    kind: Literal["iid-ladder"] = "iid-ladder"
    depths: tuple[int, ...]
    draws: int = Field(200, ge=20, le=100_000)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _depths(self.depths)
        return self


class EulerScheme(_Frozen):
    """Proposition 2: a fixed neural ODE against its discretisations at doubling depths; Θ is the Chebyshev interpolant of the
    initialisation with that many coefficients."""

    kind: Literal["euler-scheme"] = "euler-scheme"
    depths: tuple[int, ...]
    coefficients: int = Field(12, ge=2, le=40)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _depths(self.depths)
        return self


class EulerLadder(EulerScheme):
    """The same on a corpus instance at which the 1/L term dominates, so that a slope can be read."""

    kind: Literal["euler-ladder"] = "euler-ladder"  # type: ignore[assignment]


Residual = Literal["linear", "sine", "perceptron", "convolution", "attention"]


class GeneralEuler(_Frozen):
    """Proposition 11 and Corollaries 12 and 13 for a general branch g: an ODE in depth against the scheme (32) with L steps.

    Θ(s, t) = theta0 + theta1 s + theta_t e^{-t} and a(t) = a + a_t e^{-t} for t among `times`, each also in the limit t -> ∞;
    θ_k^L(t) = Θ(s_k, t) + theta_L and a^L(t) = a(t) + a_L, with s_k = k/L or the midpoints of the pieces of Θ^L, (k-1/2)/(L-1) up to 1.
    Arrays a, a_t, a_L (q) and theta0, theta1, theta_t, theta_L (p): p as in `depthlimit.models.general` and `depthlimit.models.branches`.
    """

    kind: Literal["general-euler"] = "general-euler"
    residual: Residual
    sampling: Literal["nodes", "midpoints"] = "nodes"
    arrays: ArraySet


class LocalPL(_Frozen):
    """A PL certificate around the paper's initialisation; labels are scaled to the loss that it admits.

    `fraction`: of the path length that maximises the admissible loss: ∫√ℓ for the sup ball (its radii are about proportional to it), the
    radius for those of averages ("spectral" has a sharper bound of the activations, "stacked" counts the gradients in A and B).
    `points`: how many parameters in the ball are tried; their seed is the initialisation's. `starts`: of the adversary's search in it.
    `labels`: "hardest" puts the direction in which the PL ratio at the centre is least in the place of the data's labels. `excess`: the
    labels are so many times those that are admitted; above 1 the flow may leave the ball.
    """

    kind: Literal["local-pl"] = "local-pl"
    fraction: float = Field(0.25, gt=0, le=1)
    points: int = Field(16, ge=1, le=10_000)
    ball: Literal["sup", "averaged", "spectral", "stacked"] = "sup"
    starts: int = Field(1, ge=1, le=10_000)
    labels: Literal["given", "hardest"] = "given"
    excess: float = Field(1.0, ge=1, le=1e6)


class PLBall(_Frozen):
    """Points of the ball of Definition 1 around the paper's initialisation, not trained: Proposition 5 line by line.

    ball: radius c₃/√(nq) as printed, that of the sharpened edition, or (47): ½, ½, 1 and √(2qm) for A, B, V_k and W_k.
    order: r of η_r(σ).
    points: random directions, beside the centre and two directions chosen to do harm; 0 leaves the centre alone.
    state: A (q,d), V (L,q,m), W (L,m,q), B (dout,q), one more point wherever it lies.
    """

    kind: Literal["pl-ball"] = "pl-ball"
    ball: Literal["printed", "sharpened", "line-47"] = "printed"
    order: int = Field(2, ge=2, le=12)
    points: int = Field(2, ge=0, le=10_000)
    state: ArraySet | None = None


class PLSeeds(_Frozen):
    """Proposition 5 over seeds: `draws` initialisations and data sets, from seeds init.seed + i and data.seed + i; `flows` are trained."""

    kind: Literal["pl-seeds"] = "pl-seeds"
    order: int = Field(2, ge=2, le=12)
    draws: int = Field(100, ge=20, le=100_000)
    flows: int = Field(4, ge=1, le=1000)


class GeneralFlow(_Frozen):
    """General residual networks (11)-(12) trained by (5), or by (4) without a clip: f of `depthlimit.models.branches`.

    init: affine, or arrays A (q,d), Z0 (p), Z1 (p), B (dout,q) with Z_k(0) = Z0 + (k/L) Z1. gain: π(g) is the clip of gain g, so that its
    Lipschitz constant is the gain ("a bounded Lipschitz continuous operator", Section 3); 1 without a clip.
    """

    kind: Literal["general-flow"] = "general-flow"
    residual: Residual = "linear"
    gain: float = Field(1.0, gt=0, le=100)


class GeneralLong(GeneralFlow):
    """The same trained by (4) until little of the loss is left, in a ball of that radius around the start (M of Proposition 8)."""

    kind: Literal["general-long"] = "general-long"  # type: ignore[assignment]
    radius: float = Field(gt=0, le=10)


class LimitMap(GeneralFlow):
    """The right-hand side (42) of continuous-depth training at (Z, A, B) and at (Z + ζ, A + α, B + β), not trained: Theorem 14's proof.

    init: Z(s) = Z0 + s Z1, A and B, of which the network of L layers takes Z_k = Z(k/L). shift: α = A (q,d), ζ = Z0 + s Z1, β = B (dout,q).
    """

    kind: Literal["limit-map"] = "limit-map"  # type: ignore[assignment]
    shift: ArraySet


class TrainingLimit(DepthLadder):
    """Model (3) trained at doubling depths, by (5) or by (4) without a clip, against the limit of training in depth.

    Slopes and orders are extrapolated: claims of them assume that a layer of the first depth is short for the limit.
    """

    kind: Literal["training-limit"] = "training-limit"  # type: ignore[assignment]


class GeneralLimit(GeneralFlow):
    """A general residual network in the same way; init may be gp too, with the paper's A and B."""

    kind: Literal["general-limit"] = "general-limit"  # type: ignore[assignment]
    depths: tuple[int, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _depths(self.depths)
        return self


class LongFlow(LocalPL):
    """A certified instance as in `LocalPL` followed until the loss is 1e-12 of what it was: `times` must reach so far."""

    kind: Literal["long-flow"] = "long-flow"  # type: ignore[assignment]


class DoubleLimit(LocalPL):
    """A certified instance at doubling depths, each followed until little of the loss is left, against the limit of training in depth.

    The certificate is that of the shallowest depth, which is the Spec's L: it holds at all others, and in the limit.
    """

    kind: Literal["double-limit"] = "double-limit"  # type: ignore[assignment]
    depths: tuple[int, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _depths(self.depths)
        return self


class OneState(_Frozen):
    """Networks at their initial states, not trained: what `forward`, `loss`, `gradients` and `velocity` say there. Cheap.

    networks: so many, initialised from seeds init.seed, init.seed + 1, ..., on the same data: one judgement serves all of them.
    """

    kind: Literal["network"] = "network"
    networks: int = Field(1, ge=1, le=1000)


class RandomMatrix(_Frozen):
    """Lemma 20: `draws` initialisations from seeds init.seed, init.seed + 1, ...; `level` is M_W²."""

    kind: Literal["random-matrix"] = "random-matrix"
    level: float = Field(4.0, ge=1, le=16)
    draws: int = Field(2000, ge=100, le=100_000)


class KernelMatrix(_Frozen):
    """Lemma 21: σ(WX), X the inputs divided by their norms, W the first d columns of the initial W, from `draws` successive seeds each.

    `order` is the r of η_r(σ).
    """

    kind: Literal["kernel-matrix"] = "kernel-matrix"
    order: int = Field(2, ge=2, le=8)
    draws: int = Field(200, ge=20, le=100_000)


class Relu(_Frozen):
    """Appendix D: a chain of 2L scalar layers h + σ(w h)/(2L) on one sample (x, Cx), C > 1; `data` gives x and y = Cx."""

    kind: Literal["relu"] = "relu"


class Family(_Frozen):
    """Proposition 9: functions Z_k^L(t), at every depth and on R_+, in closed form, and their limit as L grows.

    Z_k^L(t) = ±(base + slope k/L + (1 - e^{-rate t})(fade + tilt k/L)) + drift/L + (-1)^L flip, with the minus sign for L < `turns`.
    Arrays base, slope, fade, tilt, drift, flip and start, the initial state of the ODEs, of q numbers each. `depths` are values φ(L) of the
    subsequence: even ones if flip is not 0. epsilon: ε of the proof. bounded: I = [0, T] in place of R_+.
    """

    kind: Literal["family"] = "family"
    depths: tuple[int, ...] = Field(min_length=2)
    rate: float = Field(1.0, gt=0)
    epsilon: float = Field(0.1, gt=0)
    turns: int = Field(1, ge=1)
    bounded: bool = False
    arrays: ArraySet


class ReluLadder(_Frozen):
    """The same chain at doubling depths L, followed to T: from its own start, and from equal signs."""

    kind: Literal["relu-ladder"] = "relu-ladder"
    depths: tuple[int, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _depths(self.depths)
        return self


class Descent(_Frozen):
    """Section 5.1: networks with A = B = I that are not trained, at doubling depths, by gradient descent with learning rate L·step."""

    kind: Literal["descent"] = "descent"
    depths: tuple[int, ...]
    iterations: int = Field(ge=4, le=100_000)
    step: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _depths(self.depths)
        return self


class PublishedFigure(_Frozen):
    """Figures 1 and 2 as read off page 8, beside the networks of Appendix E with the draws of the authors' program; nothing is free."""

    kind: Literal["published-figure"] = "published-figure"


class Counterexamples(_Frozen):
    """Toy networks at doubling depths in each of which one hypothesis is dropped."""

    kind: Literal["counterexamples"] = "counterexamples"
    depths: tuple[int, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _depths(self.depths)
        return self


Regime = Annotated[
    PlainFlow
    | ClippedFlow
    | DepthLadder
    | IidLadder
    | EulerScheme
    | EulerLadder
    | GeneralEuler
    | LocalPL
    | PLBall
    | PLSeeds
    | GeneralFlow
    | GeneralLong
    | LimitMap
    | TrainingLimit
    | GeneralLimit
    | LongFlow
    | DoubleLimit
    | OneState
    | RandomMatrix
    | KernelMatrix
    | Relu
    | Family
    | ReluLadder
    | Descent
    | PublishedFigure
    | Counterexamples,
    Field(discriminator="kind"),
]


class Spec(_Frozen):
    """One instance. See the module's docstring; the keys of the oracle's `spec` plus regime, T, times, init and data.

    Raises `pydantic.ValidationError` (a ValueError) naming each wrong field.
    """

    version: Literal[1] = 1
    regime: Regime
    d: int = Field(ge=1, le=4096)
    dout: int = Field(ge=1, le=4096)
    q: int = Field(ge=1, le=4096)
    m: int = Field(ge=1, le=65536)
    L: int = Field(ge=1, le=65536)
    n: int = Field(ge=1, le=65536)
    activation: Sigma = Sigma()
    clip: Clip | None = None
    train: Literal["AVWB", "VW"] = "AVWB"
    rtol: float = Field(1e-9, ge=1e-13, le=1e-6)
    T: float = Field(1.0, gt=0, le=1e6)
    times: tuple[float, ...] = ()
    init: Init = PaperInit()
    data: Data = SampledData()

    @model_validator(mode="before")
    @classmethod
    def _default_times(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("times"):
            T = values.get("T", 1.0)
            if isinstance(T, int | float):
                values = {**values, "times": (0.0, T / 2, T)}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.q < max(self.d, self.dout):
            raise ValueError(f"q >= max(d, dout) is assumed in Section 3, got q={self.q}, d={self.d}, dout={self.dout}")
        if self.times[0] != 0 or self.times[-1] > self.T or any(b <= a for a, b in pairwise(self.times)):
            raise ValueError(f"times must increase strictly from 0, at most to T={self.T}, got {list(self.times)}")
        kind = self.regime.kind
        unclipped = ("plain-flow", "local-pl", "long-flow", "double-limit", "general-long")
        if (kind == "clipped-flow") != (self.clip is not None) and kind in (*unclipped, "clipped-flow"):
            raise ValueError(f"regime {kind} {'needs a' if kind == 'clipped-flow' else 'has no'} clip, got {self.clip}")
        if isinstance(self.regime, LocalPL) and (self.init.kind != "paper" or self.q < self.d + self.dout):
            raise ValueError(f"regime {kind} needs the paper's initialisation and q >= d + dout, got {self.init.kind}, q={self.q}")
        if isinstance(self.regime, PLBall | PLSeeds):
            odd = ("tanh", "sin", "erf", "arctan", "algebraic")
            if self.activation.name not in (odd if self.regime.order % 2 else ("one_minus_cos", "one_minus_gauss")):
                raise ValueError(
                    f"regime {kind} needs a bounded σ with η_r(σ) != 0: {', '.join(odd)} and r odd, one_minus_cos or one_minus_gauss and "
                    f"r even; got {self.activation.name}, r={self.regime.order}"
                )
            if self.init.kind != "paper" or self.clip is not None:
                raise ValueError(f"regime {kind} needs the paper's initialisation and no clip, got {self.init.kind}, {self.clip}")
            if kind == "pl-seeds" and self.data.kind != "sphere":
                raise ValueError(f"regime pl-seeds needs data drawn on the sphere, got {self.data.kind}")
        if isinstance(self.regime, GeneralFlow | GeneralEuler):
            if self.regime.residual == "convolution" and (self.q < 3 or self.m % self.q):
                raise ValueError(f"a convolution needs q >= 3 positions and m a multiple of q, got q={self.q}, m={self.m}")
            if self.regime.residual == "attention" and self.q % self.m:
                raise ValueError(f"attention is on m tokens of q/m numbers, got q={self.q}, m={self.m}")
        general = isinstance(self.regime, GeneralFlow)
        process = isinstance(self.regime, GeneralLimit) and self.init.kind == "gp"
        if general != (self.init.kind == "affine") and (general, self.init.kind) != (True, "arrays") and not process:
            raise ValueError(f"regimes of general networks, and no other, need init affine or arrays, got {self.init.kind} for {kind}")
        if isinstance(self.regime, GeneralFlow) and self.regime.gain != 1 and self.clip is None:
            raise ValueError(f"a gain belongs to a clip, got gain {self.regime.gain} and no clip")
        if isinstance(self.regime, GeneralLong | LongFlow | LimitMap | DoubleLimit) and self.train != "AVWB":
            raise ValueError(f"regime {kind} trains A and B too, got train={self.train}")
        if isinstance(self.regime, DoubleLimit) and self.regime.depths[0] != self.L:
            raise ValueError(f"regime double-limit has its certificate at the first of its depths, got L={self.L}, {self.regime.depths}")
        if general and self.activation.name == "relu":
            raise ValueError("f is C2 in (11), got activation relu")
        if kind == "iid-ladder" and self.init.kind != "iid":
            raise ValueError(f"regime iid-ladder needs init iid, got {self.init.kind}")
        if isinstance(self.regime, OneState) and self.regime.networks > 1 and self.init.kind == "arrays":
            raise ValueError(f"several networks need an initialisation with a seed, got arrays for {self.regime.networks} networks")
        if kind in ("random-matrix", "kernel-matrix") and self.init.kind != "paper":
            raise ValueError(f"regime {kind} needs the paper's initialisation, got {self.init.kind}")
        if kind in ("relu", "relu-ladder", "counterexamples") and max(self.d, self.dout, self.q, self.m, self.n) > 1:
            raise ValueError(f"regime {kind} has d = dout = q = m = n = 1, got {(self.d, self.dout, self.q, self.m, self.n)}")
        if kind in ("descent", "published-figure") and (
            not self.d == self.dout == self.q or self.init.kind != "paper" or self.train != "VW"
        ):
            raise ValueError(f"regime {kind} has q = d = dout, the paper's initialisation and train VW, got {self.q}, {self.init.kind}")
        if kind in ("relu", "relu-ladder") and self.data.kind != "arrays":
            raise ValueError(f"regime {kind} needs data from arrays, got {self.data.kind}")
        if kind == "counterexamples" and self.T >= 0.25:
            raise ValueError(f"regime counterexamples needs T < 1/4, where one of its flows blows up, got T={self.T}")
        if kind in ("depth-ladder", "training-limit", "euler-scheme", "euler-ladder") and self.init.kind in ("arrays", "iid"):
            raise ValueError(f"regime {kind} needs an initialisation that is smooth in depth, got {self.init.kind}")
        return self

    def network(self, L: int | None = None) -> dict[str, Any]:
        """The `spec` mapping of the protocol, at depth L if given."""
        return {
            "version": 1,
            **{key: getattr(self, key) for key in ("d", "dout", "q", "m", "n")},
            "L": self.L if L is None else L,
            "activation": self.activation.model_dump(),
            "clip": None if self.clip is None else self.clip.model_dump(),
            "train": self.train,
            "rtol": self.rtol,
        }

    def redrawn(self, i: int) -> Spec:
        """The same with the seeds of initialisation and data i further on, where they have one."""
        parts = {name: part for name, part in (("init", self.init), ("data", self.data)) if hasattr(part, "seed")}
        return self.model_copy(update={k: part.model_copy(update={"seed": (part.seed + i) % 2**32}) for k, part in parts.items()})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with every field, in a fixed order."""
        return self.model_dump(mode="json", exclude_none=False)

    def canonical(self) -> str:
        """One line of JSON, the same for equal specs."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    def digest(self) -> str:
        """A short name for the spec: the first 12 hexadecimal digits of SHA-256 of its canonical form."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]


def read_spec(value: Any, origin: str) -> Spec:
    """A Spec from decoded JSON; `BadInput` names the origin, the field, its value and what is accepted."""
    try:
        return Spec.model_validate(value)
    except ValidationError as error:
        lines = [
            f"{origin}: {'.'.join(str(part) for part in e['loc']) or 'spec'}: {e['msg']} (got {str(e['input'])[:80]})"
            for e in error.errors()
        ]
        raise BadInput("\n".join(lines)) from None


def read_specs(path: Path) -> list[Spec]:
    """The Specs in a JSON file: one object or a list of objects."""
    try:
        value = json.loads(path.read_text())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); expected a JSON file with a Spec") from None
    except ValueError as error:
        raise BadInput(f"{path}: not JSON ({error})") from None
    items = value if isinstance(value, list) else [value]
    if not items:
        raise BadInput(f"{path}: an empty list; expected at least one Spec")
    return [read_spec(item, f"{path}[{i}]" if isinstance(value, list) else str(path)) for i, item in enumerate(items)]
