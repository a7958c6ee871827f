"""All departures from the model by the method in which they first show: one change each, said in the words of the model.

They are hypotheses of a diagnosis that know of no planted fault. Each is an implementation that answers as one would whose author had
made that change and no other.
"""

from __future__ import annotations

from collections.abc import Iterator

from depthlimit.conformance.diagnosis.adjoint import adjoints
from depthlimit.conformance.diagnosis.answers import stored_otherwise
from depthlimit.conformance.diagnosis.laws import Departure, laws
from depthlimit.conformance.diagnosis.losses import losses
from depthlimit.conformance.diagnosis.network import asked_otherwise, two_scalings
from depthlimit.conformance.diagnosis.recurrence import recurrences


def departures(method: str) -> Iterator[Departure]:
    """Those that first show in the method; of two with the same answers, the simpler comes first."""
    if method in ("forward", "loss", "gradients", "neural_ode"):
        yield from asked_otherwise(method)
    if method in ("velocity", "flow", "neural_ode"):
        yield from laws(method)
    yield from {"forward": recurrences, "loss": losses, "gradients": adjoints}.get(method, tuple)()
    if method != "loss":
        yield from stored_otherwise(method)
    if method == "forward":
        yield from two_scalings()
