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


def branch(phi, net, V, W, h):
    """σ(W h/√q), then V · /√m; `net` holds numbers, so that what is compiled serves them all."""
    return net["a"] * PHI[phi](net["b"] * (h @ W.T / jnp.sqrt(net["q"]))) @ V.T / jnp.sqrt(net["m"])


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


@functools.lru_cache(maxsize=16)  # each shape of each of them holds dozens of memory maps, of which a process has 65,530
def compiled(run, phi):
    """Two functions: (net, params, x) -> the states of (3), and (net, params, x, y) -> loss and gradients."""

    def forward(net, params, x):
        layers = params["V"], params["W"]
        hidden = run(lambda h, layer: h + branch(phi, net, *layer, h) / net["L"], x @ params["A"].T, layers)
        return {"hidden": hidden, "output": hidden[-1] @ params["B"].T}

    def loss(params, net, x, y):
        return jnp.sum((forward(net, params, x)["output"] - y) ** 2) / net["n"]

    return jax.jit(forward), jax.jit(lambda net, params, x, y: jax.value_and_grad(loss)(params, net, x, y))


@functools.partial(jax.jit, static_argnums=(0, 1))
def descent(kind, train, net, g):
    """(4), or (5), from the gradients."""
    v = {k: -(net["L"] if k in "VW" else 1) * g[k] * (k in train) for k in g}
    if kind is not None:
        for names in ("A", "VW", "B"):
            v |= zip(names, clip(kind, net["radius"], *(v[k] for k in names)), strict=True)
    return v


branched = jax.jit(branch, static_argnums=0)


def numbers(spec, n):
    """The protocol's `spec` in numbers."""
    sigma, pi = spec["activation"], spec["clip"] or {"radius": 0.0}
    return {k: float(v) for k, v in (*sigma.items(), *pi.items(), ("n", n), *((k, spec[k]) for k in "qmL")) if k not in ("name", "kind")}


class Jax(Stepped):
    name, version, run = "jax", jax.__version__, staticmethod(loop)

    def _answer(self, function, net, params, *data):
        return jax.tree.map(np.asarray, function(net, params, *data))

    def _ask(self, which, spec, params, *data):
        return self._answer(compiled(self.run, spec["activation"]["name"])[which], numbers(spec, len(data[0])), params, *data)

    def forward(self, spec, params, x):
        return self._ask(0, spec, params, x)

    def loss(self, spec, params, x, y):
        return float(self._ask(1, spec, params, x, y)[0])

    def gradients(self, spec, params, x, y):
        return self._ask(1, spec, params, x, y)[1]

    def velocity(self, spec, params, x, y):
        kind = spec["clip"] and spec["clip"]["kind"]
        return self._answer(functools.partial(descent, kind, spec["train"]), numbers(spec, len(x)), self.gradients(spec, params, x, y))

    def branch(self, spec, V, W, h):
        return np.asarray(branched(spec["activation"]["name"], numbers(spec, len(h)), V, W, h))


factory = Jax
