r"""GeneralRun: a general residual network (11)-(12) trained by (5), or by (4) without a clip. Our own code throughout.

The protocol of implementations knows model (3) only, so none is involved here: what is tested is the paper and not somebody's network.
Leading axes are [batch time], batch is 1; samples are rows. Parameters: A (q,d), Z (L,p), B (dout,q).

Rounding, to first order in u, Euclidean per sample, with a, b, c, e bounds of |∂₁f|, |∂₂f|, |∂₁₁f|, |∂₂₁f| at each layer, and E_f, E_1,
E_2 the evaluation errors of f and its Jacobians:

    δh_0 = γ_d |A||x|,  δh_{k+1} = (1 + a/L) δh_k + E_f/L + 3u (|h_k| + |f|/L + |h_{k+1}|)
    δp_L = 2|B| (|B| δh_L + γ_{q+d'+4} P_y),  P_y = |B||h_L| + |y|
    δp_k = (1 + a/L) δp_{k+1} + ((E_1 + c δh_k)/L + γ_{q+4} (1 + a/L)) P_{k+1}
    P_L = 2|B| P_y,  P_k = (1 + a/L) P_{k+1}

P majorises the terms of p before they cancel, and serves as their scale. The error of the Jacobians at computed states is E_1 + c δh and
E_2 + e δh. Forward mode pushes the identity through the same layers in the other order: its error is at most 2√q δp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np

from depthlimit.models import flow
from depthlimit.models.branches import residual_branch
from depthlimit.models.clip import project
from depthlimit.models.data import ArrayStore, expect_shapes, inputs
from depthlimit.models.general import Branch
from depthlimit.models.initialisation import outer, smooth_vector
from depthlimit.models.residual import transposed
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.spec import AffineInit, ArraysInit, GaussianProcessInit, GeneralFlow, Spec
from depthlimit.models.trajectory import Batch
from depthlimit.theory.quantity import Array

Arrays = Mapping[str, Array]
_SECOND_ORDER = 1.01


def coefficients(spec: Spec, arrays: ArrayStore) -> dict[str, Array]:
    """A (q,d), Z0 (p), Z1 (p), B (dout,q) of the initialisation Z_init(s) = Z0 + s Z1."""
    p, q = residual_branch(spec).p, spec.q
    shapes = {"A": (q, spec.d), "Z0": (p,), "Z1": (p,), "B": (spec.dout, q)}
    if isinstance(spec.init, ArraysInit):
        given = arrays.resolve(spec.init.arrays)
        expect_shapes("init.arrays", given, shapes)
        return {name: given[name].copy() for name in shapes}
    assert isinstance(spec.init, AffineInit)
    random = np.random.RandomState(spec.init.seed)
    drawn = {name: random.standard_normal(shape) for name, shape in shapes.items()}
    sizes = {name: spec.init.slope if name == "Z1" else spec.init.scale for name in shapes}
    return {name: sizes[name] * a / np.linalg.norm(a) for name, a in drawn.items()}


def initial(spec: Spec, arrays: ArrayStore) -> tuple[Array, Callable[[Array], Array], Array]:
    """A_init (q,d), Z_init as s [S] -> [S p], and B_init (dout,q): affine in s, or a Gaussian process beside the paper's A and B."""
    if isinstance(spec.init, GaussianProcessInit):
        A, B = outer(spec)
        return A, smooth_vector(spec.init, residual_branch(spec).p), B
    c = coefficients(spec, arrays)
    return c["A"], lambda s: c["Z0"] + s[:, None] * c["Z1"], c["B"]


def forward(branch: Branch, params: Arrays, x: Array) -> tuple[Array, Array]:
    """Hidden states [... L+1 n q] and output [... n dout] of (12), p. 14, for x [n d]."""
    L = params["Z"].shape[-2]
    hidden = [x @ transposed(params["A"])]
    for k in range(L):
        hidden.append(hidden[-1] + branch.value(hidden[-1], params["Z"][..., k, None, :]) / L)
    return np.stack(hidden, axis=-3), hidden[-1] @ transposed(params["B"])


def adjoint(branch: Branch, params: Arrays, hidden: Array, y: Array) -> Array:
    """p_0..p_L of (13), p. 14, with the transpose that the print lacks [... L+1 n q], per sample and without the 1/n."""
    L = params["Z"].shape[-2]
    p = [2 * (hidden[..., -1, :, :] @ transposed(params["B"]) - y) @ params["B"]]
    jacobian = branch.state_jacobian(hidden[..., :-1, :, :], params["Z"][..., None, :])  # [... L n q q]
    for k in reversed(range(L)):
        p.append(p[-1] + np.einsum("...ab,...a->...b", jacobian[..., k, :, :, :], p[-1]) / L)
    return np.stack(p[::-1], axis=-3)


def by_forward_mode(branch: Branch, params: Arrays, hidden: Array, y: Array) -> Array:
    """∂ℓ_i/∂h_k [... L+1 n q] by pushing each direction of h_k forward through the network: no recurrence of p is used."""
    L = params["Z"].shape[-2]
    state = branch.state_jacobian(hidden[..., :-1, :, :], params["Z"][..., None, :])  # [... L n q q]
    error = 2 * (hidden[..., -1, :, :] @ transposed(params["B"]) - y)
    out = []
    for k in range(L + 1):
        push = np.broadcast_to(np.eye(hidden.shape[-1]), (*state.shape[:-4], *state.shape[-3:]))  # [... n q q]
        for j in range(k, L):
            push = push + state[..., j, :, :, :] @ push / L
        out.append(np.einsum("...no,...oa,...nab->...nb", error, params["B"], push))
    return np.stack(out, axis=-3)


def gradients(branch: Branch, params: Arrays, hidden: Array, p: Array, x: Array, y: Array) -> dict[str, Array]:
    """∂ℓ/∂A, ∂ℓ/∂Z [... L p], ∂ℓ/∂B by (14)-(16), p. 15."""
    L, n = params["Z"].shape[-2], len(x)
    by_z = branch.parameter_jacobian(hidden[..., :-1, :, :], params["Z"][..., None, :])  # [... L n q p]
    residual = hidden[..., -1, :, :] @ transposed(params["B"]) - y
    return {
        "A": transposed(p[..., 0, :, :]) @ x / n,
        "Z": np.einsum("...lnqp,...lnq->...lp", by_z, p[..., 1:, :, :]) / (n * L),
        "B": 2 / n * (transposed(residual) @ hidden[..., -1, :, :]),
    }


class GeneralRun:
    """One general residual network along its flow.

    Args:
        spec: of a regime with a residual branch.
        arrays: where its arrays lie.
    """

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: object = None) -> None:
        self.spec, self.network, self.times = spec, spec.network(), np.array(spec.times)
        assert isinstance(spec.regime, GeneralFlow)
        self.branch, self.gain = residual_branch(spec), spec.regime.gain
        self.arrays = arrays
        A, Z, B = initial(spec, arrays)
        start = {"A": A, "Z": Z(np.arange(1, spec.L + 1) / spec.L), "B": B}
        self.batch = Batch(spec, self.network, start, *inputs(spec, arrays))

    @cached_property
    def coefficients(self) -> dict[str, Array]:
        """Of an affine initialisation."""
        return coefficients(self.spec, self.arrays)

    def descent(self, g: Arrays) -> dict[str, Array]:
        """π of minus the gradients, L times that in Z: the right-hand side of (5)."""
        ends, clip, gain = float(self.spec.train == "AVWB"), self.network["clip"], self.gain
        ((A,), (B,), (Z,)) = (
            project(clip, -gain * g["A"]),
            project(clip, -gain * g["B"]),
            project(clip, -gain * self.spec.L * g["Z"][..., None, :]),
        )
        return {"A": ends * A, "Z": Z[..., 0, :], "B": ends * B}

    def hidden_states(self, params: Arrays) -> Array:
        """(12) [... L+1 n q]."""
        return forward(self.branch, params, self.batch.x)[0]

    def adjoint_states(self, params: Arrays, hidden: Array) -> Array:
        """(13) [... L+1 n q]."""
        return adjoint(self.branch, params, hidden, self.batch.y)

    def gradient(self, params: Arrays, hidden: Array, p: Array) -> dict[str, Array]:
        """(14)-(16)."""
        return gradients(self.branch, params, hidden, p, self.batch.x, self.batch.y)

    def speed(self, params: Arrays) -> dict[str, Array]:
        """The right-hand side of (5) at any parameters."""
        hidden = self.hidden_states(params)
        return self.descent(self.gradient(params, hidden, self.adjoint_states(params, hidden)))

    @cached_property
    def _sizes(self) -> dict[str, Array]:
        """What the integrals are known relative to: velocities and differences that vanish are rounding noise of these."""
        A, Z, B = (self.batch.params[k] for k in "AZB")
        apart = self.spec.T * np.maximum(euclid(Z[1:]), euclid(Z[:-1]))
        return {"path_A": frobenius(A), "path_Z": euclid(Z), "path_B": frobenius(B), "gap_path": apart}

    def integrands(self, _: float, params: Arrays, velocity: Arrays) -> dict[str, Array]:
        """What is integrated along the flow, by the names of `_sizes`: |A'|, |Z_k'| [L], |B'| and |Z_{k+1} - Z_k| [L-1]."""
        lengths = {f"path_{k}": euclid(velocity[k]) if k == "Z" else frobenius(velocity[k]) for k in "AZB"}
        return {**lengths, "gap_path": euclid(np.diff(params["Z"], axis=0))}

    def _follow(self, speed: Callable[[Arrays], Arrays], finer: float) -> dict[str, Array]:
        """States, and the integrals of `integrands`, leading axes [1 T]; rtol times `finer`."""
        start, sizes = self.batch.params, self._sizes
        shapes = [np.shape(a) for a in (*start.values(), *sizes.values())]
        size = sum(a.size for a in start.values())

        def rhs(t: float, state: Array) -> Array:
            params = dict(zip(start, flow.unpack(state[:size], shapes[:3]), strict=True))
            v = speed(params)
            integrands = self.integrands(t, params, v)
            return flow.pack([*(v[k] for k in start), *(integrands[k] for k in sizes)])

        state = flow.pack([*start.values(), *sizes.values()])
        blocks = [flow.Block(np.size(a)) for a in (*start.values(), *sizes.values()) if np.size(a)]
        network = {**self.network, "rtol": max(self.network["rtol"] * finer, 1e-13)}
        moved = flow.follow(network, lambda rtol: flow.solve(rhs, state, self.times, rtol, blocks), state, blocks)
        out = dict(zip((*start, *sizes), flow.unpack(moved, shapes), strict=True))
        return {k: (v + start[k] if k in start else v)[None] for k, v in out.items()}

    @cached_property
    def flow(self) -> dict[str, Array]:
        """A, Z, B and the integrals at the saved times."""
        return self._follow(self.speed, 1.0)

    @cached_property
    def reference(self) -> dict[str, Array]:
        """The same at a tenth of the tolerance, its gradients by forward mode."""
        branch, x, y = self.branch, self.batch.x, self.batch.y

        def speed(params: Arrays) -> dict[str, Array]:
            hidden = forward(branch, params, x)[0]
            p = by_forward_mode(branch, params, hidden, y)
            return GeneralRun.descent(self, gradients(branch, params, hidden, p, x, y))

        return self._follow(speed, 0.1)

    @cached_property
    def states(self) -> dict[str, Array]:
        """A [1 T q d], Z [1 T L p], B [1 T dout q]."""
        return {k: self.flow[k] for k in "AZB"}

    def error(self, values: Arrays, finer: float = 1.0) -> dict[str, Array]:
        """The error that the stepper was asked for, per array and time [1 T]; kinks of |.| in the integrals count as those of a clip."""
        network = {**self.network, "rtol": self.network["rtol"] * finer}
        kinked = {**network, "clip": {"kind": "coordinate"}}
        out = {}
        for k, v in values.items():
            flat = v.reshape(*v.shape[:2], -1)
            if k in self._sizes:
                out[k] = flow.asked(kinked, euclid(flat), euclid(flat + self._sizes[k]))
            else:
                out[k] = flow.asked(network, euclid(flat - flat[:, :1]), euclid(flat))
        return out

    @cached_property
    def state_error(self) -> dict[str, Array]:
        """Of `flow`."""
        return self.error(self.flow)

    @cached_property
    def hidden(self) -> Array:
        """[1 T L+1 n q]."""
        return self.hidden_states(self.states)

    @cached_property
    def output(self) -> Array:
        """[1 T n dout]."""
        return np.asarray(self.hidden[..., -1, :, :] @ transposed(self.states["B"]))

    @cached_property
    def p(self) -> Array:
        """(13) [1 T L+1 n q]."""
        return self.adjoint_states(self.states, self.hidden)

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """(14)-(16), leading axes [1 T]."""
        return self.gradient(self.states, self.hidden, self.p)

    @cached_property
    def velocity(self) -> dict[str, Array]:
        """θ', leading axes [1 T]."""
        return self.descent(self.gradients)

    @cached_property
    def state_jacobian(self) -> Array:
        """∂₁f(h_k, Z_{k+1}) [1 T L n q q]."""
        return self.branch.state_jacobian(self.hidden[..., :-1, :, :], self.states["Z"][..., None, :])

    @cached_property
    def parameter_jacobian(self) -> Array:
        """∂₂f(h_k, Z_{k+1}) [1 T L n q p]."""
        return self.branch.parameter_jacobian(self.hidden[..., :-1, :, :], self.states["Z"][..., None, :])

    @cached_property
    def state_norm(self) -> Array:
        """‖∂₁f‖₂ [1 T L n]."""
        return np.asarray(np.linalg.norm(self.state_jacobian, ord=2, axis=(-2, -1)))

    @cached_property
    def parameter_norms(self) -> tuple[Array, Array]:
        """‖∂₂f‖₂ [1 T L n], and that of its change from one layer to the next [1 T L-1 n]."""
        J = self.parameter_jacobian
        return np.linalg.norm(J, ord=2, axis=(-2, -1)), np.linalg.norm(np.diff(J, axis=-4), ord=2, axis=(-2, -1))

    def pull_change(self, p: Array) -> Array:
        """|∂₂f(h_k, Z_{k+1})ᵀ p_k - ∂₂f(h_{k-1}, Z_k)ᵀ p_{k-1}| [1 T L-1 n] for the p [1 T L n q] that goes with each layer."""
        return euclid(np.diff(np.einsum("...qp,...q->...p", self.parameter_jacobian, p), axis=-3))

    @cached_property
    def forward_mode(self) -> Array:
        """∂ℓ_i/∂h_k [1 T L+1 n q]."""
        return by_forward_mode(self.branch, self.states, self.hidden, self.batch.y)

    # --- radii: see the module

    @cached_property
    def bounds(self) -> tuple[Array, Array, Array, Array]:
        """a, b, c, e [1 T L n] at the computed states."""
        found = self.branch.bounds(euclid(self.hidden[..., :-1, :, :]), self.states["Z"][..., None, :])
        shape = self.hidden[..., :-1, :, 0].shape
        a, b, _, e, c = (np.broadcast_to(v, shape) for v in found)
        return a, b, c, e

    @cached_property
    def evaluation(self) -> tuple[Array, Array, Array]:
        """E_f, E_1, E_2 [1 T L n]."""
        shape = self.hidden[..., :-1, :, 0].shape
        found = self.branch.evaluation(self.hidden[..., :-1, :, :], self.states["Z"][..., None, :])
        f, one, two = (np.broadcast_to(v, shape) for v in found)
        return f, one, two

    @cached_property
    def step_error(self) -> Array:
        """Of one layer from exact h_k [1 T L n]."""
        h, L = euclid(self.hidden), self.spec.L
        size = self.bounds[0] * h[..., :-1, :]
        return np.asarray(_SECOND_ORDER * (self.evaluation[0] / L + 3 * U * (h[..., :-1, :] + size / L + h[..., 1:, :])))

    @cached_property
    def hidden_error(self) -> Array:
        """δh_k [1 T L+1 n]."""
        deltas = [_SECOND_ORDER * gamma(self.spec.d) * frobenius(self.states["A"])[..., None] * euclid(self.batch.x)]
        for k in range(self.spec.L):
            deltas.append((1 + self.bounds[0][..., k, :] / self.spec.L) * deltas[-1] + self.step_error[..., k, :])
        return np.stack(deltas, axis=-2)

    @cached_property
    def adjoint_terms(self) -> Array:
        """P_k [1 T L+1 n]."""
        terms = [2 * frobenius(self.states["B"])[..., None] * self.residual_terms]
        for k in reversed(range(self.spec.L)):
            terms.append((1 + self.bounds[0][..., k, :] / self.spec.L) * terms[-1])
        return np.stack(terms[::-1], axis=-2)

    @cached_property
    def residual_terms(self) -> Array:
        """P_y [1 T n]."""
        return np.asarray(frobenius(self.states["B"])[..., None] * euclid(self.hidden[..., -1, :, :]) + euclid(self.batch.y))

    @cached_property
    def residual_error(self) -> Array:
        """Of F(x_i) - y_i [1 T n]."""
        B = frobenius(self.states["B"])[..., None]
        return np.asarray(B * self.hidden_error[..., -1, :] + gamma(self.spec.q + 3) * self.residual_terms)

    @cached_property
    def adjoint_error(self) -> Array:
        """δp_k [1 T L+1 n]."""
        s, (a, _, c, _) = self.spec, self.bounds
        B = frobenius(self.states["B"])[..., None]
        deltas = [2 * B * (self.residual_error + gamma(s.dout + 3) * self.residual_terms)]
        for k in reversed(range(s.L)):
            grow = 1 + a[..., k, :] / s.L
            own = (self.evaluation[1][..., k, :] + c[..., k, :] * self.hidden_error[..., k, :]) / s.L
            deltas.append(grow * deltas[-1] + (own + gamma(s.q + 4) * grow) * self.adjoint_terms[..., k + 1, :])
        return _SECOND_ORDER * np.stack(deltas[::-1], axis=-2)

    @cached_property
    def jacobian_error(self) -> tuple[Array, Array]:
        """Of ∂₁f and ∂₂f at the computed states against the exact ones, [1 T L n]."""
        _, _, c, e = self.bounds
        dh = self.hidden_error[..., :-1, :]
        return self.evaluation[1] + c * dh, self.evaluation[2] + e * dh

    @cached_property
    def product_error(self) -> Array:
        """Of ∂₂f(h_{k-1}, Z_k)ᵀ p_k per sample [1 T L n]; its terms are of size |∂₂f| P_k."""
        b, P = self.bounds[1], self.adjoint_terms[..., 1:, :]
        own = self.jacobian_error[1] + gamma(self.spec.q + 2) * b
        return np.asarray(_SECOND_ORDER * (b * self.adjoint_error[..., 1:, :] + own * P))
