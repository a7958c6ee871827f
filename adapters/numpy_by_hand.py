"""Networks (3), their gradients by hand and the velocities of (4) and (5): an adapter in fewer than forty lines."""

import numpy as np

from adapters.activations import sigma


class NumpyByHand:
    def branch(self, spec, V, W, h):
        return sigma(spec, h @ W.T / np.sqrt(spec["q"]))[0] @ V.T / np.sqrt(spec["m"])

    def forward(self, spec, params, x):
        h = [x @ params["A"].T]
        for V, W in zip(params["V"], params["W"], strict=True):
            h.append(h[-1] + self.branch(spec, V, W, h[-1]) / spec["L"])
        return {"hidden": np.stack(h), "output": h[-1] @ params["B"].T}

    def loss(self, spec, params, x, y):
        return np.sum((self.forward(spec, params, x)["output"] - y) ** 2) / len(x)

    def gradients(self, spec, params, x, y):
        h, output = self.forward(spec, params, x).values()
        error, scale = 2 / len(x) * (output - y), 1 / (spec["L"] * np.sqrt(spec["m"]))
        p, V, W = error @ params["B"], np.empty_like(params["V"]), np.empty_like(params["W"])
        for k in reversed(range(spec["L"])):
            value, slope = sigma(spec, h[k] @ params["W"][k].T / np.sqrt(spec["q"]))
            r = scale / np.sqrt(spec["q"]) * (p @ params["V"][k] * slope)
            V[k], W[k] = scale * p.T @ value, r.T @ h[k]
            p = p + r @ params["W"][k]
        return {"A": p.T @ x, "V": V, "W": W, "B": error.T @ h[-1]}

    def velocity(self, spec, params, x, y):
        v = {k: -(spec["L"] if k in "VW" else 1) * (k in spec["train"]) * g for k, g in self.gradients(spec, params, x, y).items()}
        kind, r = (spec["clip"] or {"kind": "none", "radius": 0}).values()
        if kind == "radial":  # Z_k = (V_k, W_k) is one vector
            size = {k: np.sqrt(sum(np.sum(v[j] ** 2, (-2, -1), keepdims=True) for j in ("VW" if k in "VW" else k))) for k in v}
            return {k: g * r / np.maximum(r, size[k]) for k, g in v.items()}
        clip = {"none": lambda g: g, "coordinate": lambda g: np.clip(g, -r, r), "smooth": lambda g: r * np.tanh(g / r)}[kind]
        return {k: clip(g) for k, g in v.items()}


factory = NumpyByHand
