"""φ and φ' of the protocol's activations, in NumPy."""

import numpy as np
from scipy.special import erf, expit, ndtr

PHI = {
    "identity": (lambda u: u, np.ones_like),
    "relu": (lambda u: np.maximum(u, 0), lambda u: np.where(u > 0, 1.0, 0.0)),
    "tanh": (np.tanh, lambda u: 1 - np.tanh(u) ** 2),
    "sin": (np.sin, np.cos),
    "erf": (erf, lambda u: 2 / np.sqrt(np.pi) * np.exp(-(u**2))),
    "arctan": (np.arctan, lambda u: 1 / (1 + u**2)),
    "algebraic": (lambda u: u / np.sqrt(1 + u**2), lambda u: (1 + u**2) ** -1.5),
    "one_minus_cos": (lambda u: 1 - np.cos(u), np.sin),
    "one_minus_gauss": (lambda u: 1 - np.exp(-(u**2) / 4), lambda u: u / 2 * np.exp(-(u**2) / 4)),
    "gelu": (lambda u: u * ndtr(u), lambda u: ndtr(u) + u * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)),
    "silu": (lambda u: u * expit(u), lambda u: expit(u) * (1 + u * expit(-u))),
}


def sigma(spec, u):
    """σ(u) = a φ(b u) and σ'(u)."""
    (phi, slope), a, b = PHI[spec["activation"]["name"]], spec["activation"]["a"], spec["activation"]["b"]
    return a * phi(b * u), a * b * slope(b * u)
