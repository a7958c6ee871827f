"""NumPy with every sum in another order: correct, and in no bit the same.

Sums run one term after the other, from the last one to the first; the terms of a branch are added to the hidden state singly;
scalings act on the weights, and the mean over samples is taken term by term.
"""

import numpy as np

from adapters.activations import sigma
from adapters.numpy_complete import NumpyComplete


def product(a, b, start=0.0):
    """start + a @ b for matrices."""
    for j in reversed(range(a.shape[1])):
        start = start + a[:, j, None] * b[j]
    return start


class NumpyReordered(NumpyComplete):
    def branch(self, spec, V, W, h, start=0.0):
        return product(sigma(spec, product(h, W.T / np.sqrt(spec["q"])))[0], V.T / np.sqrt(spec["m"]), start)

    def forward(self, spec, params, x):
        h = [product(x, params["A"].T)]
        for V, W in zip(params["V"] / spec["L"], params["W"], strict=True):
            h.append(self.branch(spec, V, W, h[-1], h[-1]))
        return {"hidden": np.stack(h), "output": product(h[-1], params["B"].T)}

    def loss(self, spec, params, x, y):
        squares = (self.forward(spec, params, x)["output"] - y) ** 2 / len(x)
        return sum(squares.ravel()[::-1])

    def gradients(self, spec, params, x, y):
        h, output = self.forward(spec, params, x).values()
        error = (output - y) * 2
        p, V, W = product(error, params["B"]), np.empty_like(params["V"]), np.empty_like(params["W"])
        for k in reversed(range(spec["L"])):
            W_k, V_k = params["W"][k] / np.sqrt(spec["q"]), params["V"][k] / spec["L"] / np.sqrt(spec["m"])
            value, slope = sigma(spec, product(h[k], W_k.T))
            V[k] = product(p.T / len(x), value / spec["L"]) / np.sqrt(spec["m"])
            r = slope * product(p, V_k)
            W[k] = product(r.T / np.sqrt(spec["q"]), h[k] / len(x))
            p = product(r, W_k, p)
        return {"A": product(p.T / len(x), x), "V": V, "W": W, "B": product(error.T, h[-1] / len(x))}


factory = NumpyReordered
