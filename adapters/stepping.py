"""Flow and neural ODE by SciPy's DOP853 for any adapter that has `velocity`, `loss` and `branch`.

What the protocol asks is relative to the displacement of each array, so that is what is integrated. A first, rough run says how far
each array moves; the second run takes its absolute tolerances from there.
"""

import numpy as np
from numpy.polynomial.chebyshev import chebval
from scipy.integrate import solve_ivp


def displacements(speed, start, sizes, stops, rtol):
    """y(t) - y(0) at the stops [T N] of y' = speed(t, y), y(0) = start [N], a state of consecutive arrays of these sizes."""
    ends = np.cumsum(sizes)[:-1]

    def size(vector):
        return np.repeat([np.linalg.norm(piece) / np.sqrt(piece.size) for piece in np.split(vector, ends)], sizes)

    far = _run(speed, start, stops, 1e-4, [np.full(len(start), 1e-6)] * len(stops))
    return _run(speed, start, stops, rtol, [np.maximum(rtol * (size(u) + size(start) / 100), 1e-18) for u in far])


def _run(speed, start, stops, rtol, atol):
    rows, now, u = [], 0.0, np.zeros_like(start)
    for stop, tolerance in zip(stops, atol, strict=True):
        if stop > now:
            run = solve_ivp(lambda t, u: speed(t, start + u), (now, stop), u, "DOP853", rtol=max(rtol, 3e-14), atol=tolerance)
            if not run.success:
                raise RuntimeError(run.message)
            now, u = stop, run.y[:, -1]
        rows.append(u)
    return np.stack(rows)


class Stepped:
    """`flow` and `neural_ode`; `branch(spec, V, W, h)` is σ(h Wᵀ/√q) Vᵀ/√m."""

    def flow(self, spec, params, x, y, times):
        names = [k for k in "AVWB" if k in spec["train"]]
        sizes = [params[k].size for k in names]
        start = np.concatenate([params[k].ravel() for k in names])

        def at(vector):
            pieces = np.split(vector, np.cumsum(sizes)[:-1])
            return {**params, **{k: piece.reshape(params[k].shape) for k, piece in zip(names, pieces, strict=True)}}

        def speed(_, vector):
            velocity = self.velocity(spec, at(vector), x, y)
            return np.concatenate([velocity[k].ravel() for k in names])

        kinks = spec["clip"] is not None and spec["clip"]["kind"] != "smooth"  # what an error estimate misses, a tighter one covers
        moved = displacements(speed, start, sizes, times, spec["rtol"] / (100 if kinks else 10))
        states = [at(start + row) for row in moved]
        return {k: np.stack([s[k] for s in states]) for k in params} | {"loss": np.array([self.loss(spec, s, x, y) for s in states])}

    def neural_ode(self, spec, weights, x, s):
        start = x @ weights["A"].T

        def speed(s, vector):
            V, W = (chebval(2 * s - 1, weights[k]) for k in "VW")
            return self.branch(spec, V, W, vector.reshape(start.shape)).ravel()

        stops = np.append(s, 1.0) if len(s) == 0 or s[-1] < 1 else s
        H = start + displacements(speed, start.ravel(), [start.size], stops, spec["rtol"] / 10).reshape(-1, *start.shape)
        return {"hidden": H[: len(s)], "output": H[-1] @ weights["B"].T}
