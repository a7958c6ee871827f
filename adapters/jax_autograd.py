"""JAX in float64: a Python loop over the layers, gradients by jax.grad. What is compiled serves all calls of a shape."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, erfc

from adapters.stepping import Stepped

jax.config.update("jax_enable_x64", True)

PHI = {
    "identity": lambda u: u,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "erf": erf,
    "arctan": jnp.arctan,
    "algebraic": lambda u: u / jnp.sqrt(1 + u**2),
    "one_minus_cos": lambda u: 1 - jnp.cos(u),
    "one_minus_gauss": lambda u: -jnp.expm1(-(u**2) / 4),
    "gelu": lambda u: u * erfc(-u / math.sqrt(2)) / 2,
    "silu": jax.nn.silu,
}


def branch(sigma, V, W, h):
    """σ(W h/√q) of the activation (name, a, b), then V · /√m."""
    name, a, b = sigma
    q, m = V.shape
    return a * PHI[name](b * (h @ W.T / math.sqrt(q))) @ V.T / math.sqrt(m)


def loop(step, h, layers):
    """h_0, ..., h_L, layer after layer."""
    hidden = [h]
    for layer in zip(*layers, strict=True):
        hidden.append(step(hidden[-1], layer))
    return jnp.stack(hidden)


def clip(kind, radius, *g):
    """π on arrays that are one vector together."""
    if kind == "coordinate":
        return [jnp.clip(a, -radius, radius) for a in g]
    if kind == "smooth":
        return [radius * jnp.tanh(a / radius) for a in g]
    size = jnp.sqrt(sum(jnp.sum(a**2, axis=(-2, -1), keepdims=True) for a in g))
    return [a * radius / jnp.maximum(size, radius) for a in g]


@functools.lru_cache(maxsize=4)  # each shape of each of them holds dozens of memory maps, of which a process has 65,530
def compiled(run, sigma, pi, train):
    """Two functions: (params, x) -> the states of (3), and (params, x, y) -> loss, gradients and velocity."""

    def forward(params, x):
        V, W = params["V"], params["W"]
        hidden = run(lambda h, layer: h + branch(sigma, *layer, h) / len(V), x @ params["A"].T, (V, W))
        return {"hidden": hidden, "output": hidden[-1] @ params["B"].T}

    def loss(params, x, y):
        return jnp.sum((forward(params, x)["output"] - y) ** 2) / len(x)

    def trained(params, x, y):
        value, g = jax.value_and_grad(loss)(params, x, y)
        v = {k: -(len(params["V"]) if k in "VW" else 1) * g[k] * (k in train) for k in g}
        if pi is not None:
            v = {k: a for names in ("A", "VW", "B") for k, a in zip(names, clip(*pi, *(v[k] for k in names)), strict=True)}
        return {"loss": value, "gradients": g, "velocity": v}

    return jax.jit(forward), jax.jit(trained)


branched = jax.jit(branch, static_argnums=0)


class Jax(Stepped):
    name, version, run = "jax", jax.__version__, staticmethod(loop)

    def _functions(self, spec):
        return compiled(self.run, tuple(spec["activation"].values()), spec["clip"] and tuple(spec["clip"].values()), spec["train"])

    def forward(self, spec, params, x):
        return jax.tree.map(np.asarray, self._functions(spec)[0](params, x))

    def _trained(self, method, spec, params, x, y):
        return jax.tree.map(np.asarray, self._functions(spec)[1](params, x, y)[method])

    def loss(self, spec, params, x, y):
        return float(self._trained("loss", spec, params, x, y))

    def gradients(self, spec, params, x, y):
        return self._trained("gradients", spec, params, x, y)

    def velocity(self, spec, params, x, y):
        return self._trained("velocity", spec, params, x, y)

    def branch(self, spec, V, W, h):
        return np.asarray(branched(tuple(spec["activation"].values()), V, W, h))


factory = Jax
