"""torch as in public code of residual networks: an nn.Module with a loop over the layers and loss.backward(), scaled as in (3)-(5)."""

import math

import torch
from torch import nn

from adapters.stepping import Stepped

PHI = {
    "identity": nn.Identity(),
    "relu": nn.ReLU(),
    "tanh": nn.Tanh(),
    "sin": torch.sin,
    "erf": torch.erf,
    "arctan": torch.arctan,
    "algebraic": lambda u: u / torch.sqrt(1 + u**2),
    "one_minus_cos": lambda u: 1 - torch.cos(u),
    "one_minus_gauss": lambda u: -torch.expm1(-(u**2) / 4),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
}


class ResNet(nn.Module):
    """h_k = h_{k-1} + σ(h_{k-1} W_kᵀ/√q) V_kᵀ/(L√m) for rows h."""

    def __init__(self, spec, params):
        super().__init__()
        for name, value in params.items():
            setattr(self, name, nn.Parameter(torch.tensor(value)))
        self.phi, self.a, self.b = PHI[spec["activation"]["name"]], spec["activation"]["a"], spec["activation"]["b"]
        self.inner, self.outer = 1 / math.sqrt(spec["q"]), 1 / math.sqrt(spec["m"])

    def branch(self, V, W, h):
        return self.a * self.phi(self.b * (h @ W.T * self.inner)) @ V.T * self.outer

    def forward(self, x):
        h = x @ self.A.T
        hidden = [h]
        for V, W in zip(self.V, self.W, strict=True):
            h = h + self.branch(V, W, h) / len(self.V)
            hidden.append(h)
        return torch.stack(hidden), h @ self.B.T


class Torch(Stepped):
    name, version, network = "torch-module", torch.__version__, ResNet

    def criterion(self, prediction, y):
        return ((prediction - y) ** 2).sum(dim=1).mean()

    def forward(self, spec, params, x):
        with torch.no_grad():
            hidden, output = self.network(spec, params)(torch.tensor(x))
        return {"hidden": hidden.numpy(), "output": output.numpy()}

    def loss(self, spec, params, x, y):
        return float(self.criterion(torch.tensor(self.forward(spec, params, x)["output"]), torch.tensor(y)))

    def gradients(self, spec, params, x, y):
        net = self.network(spec, params)
        self.criterion(net(torch.tensor(x))[1], torch.tensor(y)).backward()
        return {name: parameter.grad.numpy() for name, parameter in net.named_parameters()}

    def velocity(self, spec, params, x, y):
        g = self.gradients(spec, params, x, y)
        v = {k: torch.tensor(-spec["L"] * g[k] if k in "VW" else -g[k]) * (k in spec["train"]) for k in g}
        if spec["clip"] is not None:
            v = {k: self.clip(spec["clip"]["kind"], spec["clip"]["radius"], v, "VW" if k in "VW" else k)[k] for k in v}
        return {k: a.numpy() for k, a in v.items()}

    def clip(self, kind, radius, v, names):
        """π on the arrays of these names, which are one vector together."""
        if kind == "coordinate":
            return {k: v[k].clamp(-radius, radius) for k in names}
        if kind == "smooth":
            return {k: radius * torch.tanh(v[k] / radius) for k in names}
        size = sum(v[k].square().sum(dim=(-2, -1), keepdim=True) for k in names).sqrt()
        return {k: v[k] * radius / size.clamp(min=radius) for k in names}

    def branch(self, spec, V, W, h):
        with torch.no_grad():
            return self.network(spec, {}).branch(*map(torch.tensor, (V, W, h))).numpy()


factory = Torch
