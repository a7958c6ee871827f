r"""Agreement with the reference, and what the protocol asks of any implementation: claims about no formula of the paper.

`agreement.*` compares each method with our NumPy reference at the same parameters: whatever else fails, this says in which method. The
flow and the neural ODE are compared with the reference by `eq4.flow-*` and `eq6.state`. `repeat.*`: the same question after others has
the same answer. `rows.*`: samples do not know of each other. `batch.*`: nor do the calls of a batch.
"""

from __future__ import annotations

from depthlimit.theory.claim import Claim, Role, Source
from depthlimit.theory.registry import quantity, register

FLOWS = ("plain-flow", "clipped-flow")
STATES = (*FLOWS, "network")
_BTLN = ("batch", "time", "layer", "sample")
_BTC, _BTLC = ("batch", "time", "component"), ("batch", "time", "layer", "component")


def _agreement(name: str, tex: str, axes: tuple[str, ...], what: str) -> None:
    given, ours = (
        quantity(f"{prefix}_{name.replace('-', '_')}", rf"{tex}^{{\mathrm{{{word}}}}}", axes, f"{what}, {meaning}").symbol
        for prefix, word, meaning in (("given", "given", "as the implementation answers"), ("own", "ref", "by the reference"))
    )
    register(
        Claim(
            f"agreement.{name}",
            given,
            "=",
            ours,
            Source("Protocol", "agreement with the reference"),
            STATES,
            f"{what[0].upper()}{what[1:]}: the implementation agrees with the reference at the same parameters.",
            rf"{tex}^{{\mathrm{{given}}}} = {tex}^{{\mathrm{{ref}}}}",
            role=Role.AGREEMENT,
            edition="sharpened",
            inputs="instantaneous",
        )
    )


_agreement("hidden", "h_k", (*_BTLN, "component"), "hidden states of (3)")
_agreement("output", "F(x_i)", ("batch", "time", "sample", "component"), "outputs of (3)")
_agreement("loss", r"\ell", ("batch", "time"), "the loss")
for _block, _axes in (("A", _BTC), ("V", _BTLC), ("W", _BTLC), ("B", _BTC)):
    _agreement(f"gradient-{_block}", rf"\partial\ell/\partial {_block}", _axes, f"the gradient in {_block}")
for _block, _axes in (("A", _BTC), ("V", _BTLC), ("W", _BTLC), ("B", _BTC)):
    _agreement(f"velocity-{_block}", rf"\dot {_block}", _axes, f"the velocity of {_block}")


def _behaviour(kind: str, method: str, meaning: str, regimes: tuple[str, ...] = STATES) -> None:
    tex = rf"\mathrm{{{method.replace('_', ' ')}}}"
    first, second = (
        quantity(
            f"{which}_{kind}_{method}", rf"{tex}^{{\mathrm{{{word}}}}}", ("sample", "component"), f"answer of `{method}` {what}"
        ).symbol
        for which, word, what in (("first", "once", "as it was given, in units of what it may err"), ("second", kind, _OTHER[kind]))
    )
    register(
        Claim(
            f"{kind}.{method.replace('_', '-')}",
            first,
            "=",
            second,
            Source("Protocol", "behaviour"),
            regimes,
            meaning,
            rf"{tex}^{{\mathrm{{once}}}} = {tex}^{{\mathrm{{{kind}}}}}",
            role=Role.AGREEMENT,
            edition="sharpened",
            inputs="instantaneous",
        )
    )


_OTHER = {
    "repeat": "when it is asked again after other calls",
    "rows": "put together from the samples alone",
    "batch": "from a batch of calls",
}
for _method in ("forward", "loss", "gradients", "velocity"):
    _behaviour("repeat", _method, f"`{_method}` gives the same answer again after other calls.")
_behaviour("repeat", "flow", "`flow` gives the same answer again at one time alone.", FLOWS)
_behaviour("repeat", "neural_ode", "`neural_ode` gives the same answer again after other calls.", ("euler-scheme", "euler-ladder"))
for _method, _meaning in (
    ("forward", "Each sample alone has the states that it has among others."),
    ("loss", "The loss is the mean of the losses of the samples alone."),
    ("gradients", "Gradients are the mean of the gradients of the samples alone."),
):
    _behaviour("rows", _method, _meaning)
for _method in ("forward", "loss", "gradients", "velocity"):
    _behaviour("batch", _method, f"`batch` of `{_method}` gives each call's answer, whichever calls stand together.")
_behaviour("batch", "flow", "`batch` of `flow` gives each flow within its error, whichever flows stand together.", FLOWS)


def compares(claim: Claim) -> bool:
    """Whether a claim only compares answers with the reference, or with the answers of another occasion."""
    return claim.role is Role.AGREEMENT or claim.label.startswith(("eq4.flow-", "eq5.flow-", "eq6.state"))
