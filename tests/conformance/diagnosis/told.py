"""How often a diagnosis tells the cause of a fault that is not among its hypotheses: right, wrong, or unexplained.

    python -m depthlimit.conformance.diagnosis.told          # of every planted fault, and of those that nothing was written for

A cause is told right if its sentence says the same as the fault's own; where the words differ, both stand here. It is unexplained if the
diagnosis only says which answers are wrong, and wrong otherwise.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from depthlimit.conformance.diagnosis import diagnose
from depthlimit.conformance.diagnosis.laws import Departure
from depthlimit.conformance.faults import FAULTS, adjoint, flows, forward, interface, numerics, odes, velocity
from depthlimit.conformance.faults.planting import Fault
from depthlimit.conformance.faults.unseen import UNSEEN
from depthlimit.models import calls
from depthlimit.models.workers import single_threaded

GROUPS = {
    module.__name__.rpartition(".")[2]: list(module.FAULTS) for module in (forward, adjoint, velocity, flows, odes, numerics, interface)
}
_GROUPED = {fault.name for faults in GROUPS.values() for fault in faults}
GROUPS["others"] = [f for f in FAULTS if f.implementation is not None and f.name not in _GROUPED]
RIGHT, WRONG, UNEXPLAINED = "right", "wrong", "unexplained"

# What says the same as a fault's cause, as a regular expression for the whole sentence.
_CLIP = r"(the clip is \w+ whatever is asked for; )?"
_TIMES = r"`gradients`: A is {0} times what it should be; V is {0} times what it should be; W is {0} times what it should be"
SAME = {
    "the output is divided by √q": r"the output of \(3\) is divided by √q",
    "V and W of a layer are those of different layers": r"layer k uses W of layer k\+1",
    "the layers are counted from 0": r"layer k uses V and W of layer k-1, the first those of the last",
    "the layers stand in reversed order": r"the layers stand in reversed order in V and W",
    "every layer has the weights of the first": r"every layer has V and W of the first",
    "there is a bias in σ": r"there is a bias in σ: its argument is u \+ \(0\.01\)",
    "σ stands in another place of (3)": r"σ acts (before W|after V) in the residual branch",
    "h_{k-1} is damped in h_k": r"h_\{k-1\} is multiplied by \(1 - 1/L\) in \(3\)",
    "the residual connection is added twice": r"h_\{k-1\} is multiplied by 2 in \(3\)",
    "inputs are multiplied by 255, as bytes that were never scaled to [0, 1]": r"h_0 is 255 times A x",
    "A is made orthonormal inside": r"A is made orthonormal",
    "the hidden states returned are shifted by one layer": r"the hidden states returned are shifted by one",
    "the loss is averaged over the outputs too": r"`loss`: loss is 1/dout times what it should be",
    "the factor 1/n of the loss is missing": r"`loss`: loss is n times what it should be",
    "the loss is halved": r"`loss`: loss is 1/2 times what it should be",
    "the factor 2 of (13) and (16) is missing": _TIMES.format("1/2") + "; B is 1/2 times what it should be",
    "the factor 2 of (13) is missing": _TIMES.format("1/2"),
    "the factor 2 of (16) is missing": r"`gradients`: B is 1/2 times what it should be",
    "gradients are those of twice the loss": _TIMES.format("2") + "; B is 2 times what it should be",
    "the adjoint starts from one output alone": r"an output is left out of the gradients of A and V and W",
    "the inner derivative b of σ' is missing": r"σ' is multiplied by 1/b \(the inner derivative\)",
    "the factor 1/n of (14)-(16) is missing": _TIMES.format("n") + "; B is n times what it should be",
    "the factor 1/L of (15) is missing": r"`gradients`: V is L times what it should be; W is L times what it should be",
    "the factor 1/√m of (15) is missing": r"`gradients`: V is √m times what it should be",
    "the factor 1/√q of (15) is missing": r"`gradients`: W is √q times what it should be",
    "the gradients in V and W are exchanged": r"V and W of the answer are exchanged",
    "the gradients of the layers stand in reversed order": r"the layers of the answer stand in reversed order",
    "the gradients of the layers are shifted by one": r"the layers of the answer are shifted by one",
    "the first layer's gradient is missing": r"the first layer of the answer is missing",
    "the last layer's gradient is missing": r"the last layer of the answer is missing",
    "the gradient in A is missing": r"A of `gradients` is 0",
    "the gradients are clipped": r"the gradients are clipped where their Euclidean norm exceeds 0\.1",
    "the factor L of (4) is missing": r"`velocity`: V is 1/L times what it should be; W is 1/L times what it should be",
    "the factor L of (4) is there twice": r"`velocity`: V is L times what it should be; W is L times what it should be",
    "the factor L of (4) is √L": r"`velocity`: V is 1/√L times what it should be; W is 1/√L times what it should be",
    "A and B move with the factor L too": r"`velocity`: A is L times what it should be; B is L times what it should be",
    "the radius of the clip is wrong": r"the radius of the clip is (2r|r/√\(qm\)|1\.1 r)",
    "the norm in the radial clip is wrong": _CLIP + r"(the norm in the radial clip is .*|1e-06 is added to the norm in the radial clip)",
    "the radial clip stretches what lies inside": _CLIP + "the radial clip stretches what lies inside",
    "the smooth clip is r tanh(g)": _CLIP + r"the smooth clip is r tanh\(g\)",
    "the smooth clip is tanh(g/r)": _CLIP + r"the smooth clip is tanh\(g/r\)",
    "one kind of clip is taken for another": r"the clip is (coordinate|radial) whatever is asked for",
    "time runs at another speed": r"time runs (twice too fast|L times too slowly)",
    "the flow is late by a constant": r"the flow is late by 0\.001",
    "the first entry is not the initial state": r"the first entry is that of another time: 0\.001 for 0",
    "the flow is not followed accurately": r"steps of gradient descent stand in place of the flow",
    "the flow forgets the clip": r"in the flow, the clip is missing",
    'the flow forgets spec["train"]': r'in the flow, spec\["train"\] is ignored',
    "the flow returns the layers in reversed order": r"the layers of the answer stand in reversed order",
    "the losses along the flow are not those of its states": (
        r"the losses along the flow are (those of the times before|the first one)|`flow`: loss is 1/2 times what it should be"
    ),
    "the weights of (6) are another function of s than Σ V_j T_j(2s-1)": (
        r"the weights of \(6\) are .*|the first coefficient in \(6\) is halved|the last coefficient in \(6\) is left out"
    ),
    "the states of (6) are those of the s before": r"the hidden states returned are those before",
    "the numbers are single precision inside": r"the weights are half precision inside",  # TF32 has the ten bits of half precision
    "answers are rounded": r"answers are rounded to 7 digits",
    "an answer is inexact": r"the displacement along the flow is 1 \+ 1e-06 times what it should be",
    # of those that nothing was written for
    "the radius of every clip is 0.7 r": r"the radius of the clip is 0\.7 r",
    "each matrix is clipped by its spectral norm": _CLIP + r"V and W are clipped apart; the norm in the radial clip is the spectral norm",
    "0.4 is added to the norm in the radial clip": _CLIP + r"0\.4 is added to the norm in the radial clip",
    "σ is cut off at 1/2": r"σ is cut off at -0\.5 and 0\.5",
    "the residual branch is 0.9 of what it should be": r"the residual branch of \(3\) is multiplied by 0\.9",
    "the first sample counts twice in the gradients": r"a sample counts more than once in the gradients",
    "labels are multiplied by 0.9": r"the labels are multiplied by 0\.9",
    "errors are cut off at 1 in the adjoint": r"errors are cut off at 1 in the gradients of A and V and W",
    "the flow runs in 10 t²": r"time runs as 10 t\^2",
    "the field of (6) is 1.1 of what it should be": r"the right-hand side of \(6\) is multiplied by 1\.1",
    "the gradients of layer k are multiplied by 0.9^(L-k)": r"`gradients`: V and W are multiplied by numbers that depend on the layer",
    "the gradients of one layer are halved": r"`gradients`: V and W are multiplied by a number in the last layer",
    "V has a penalty in the velocity": r"there is a penalty in the velocity",
    "σ is cut off below at -0.2": r"σ is cut off at -0\.2 and .*",
    "h_{k-1} and the branch are multiplied by 1/√2": (
        r"h_\{k-1\} is multiplied by 0\.707107 in \(3\); the residual branch of \(3\) is multiplied by 0\.707107"
    ),
    "outputs count 1, 2, 3, ... times": r"outputs count differently in the gradients of A and V and W",
    "the middle sample is left out of the gradients": r"a sample is left out of the gradients",
    "every clip is r g/√(r² + g²)": r"the clip is g/√\(1 \+ \(g/r\)²\) whatever is asked for",
    "gradients are those of the absolute error": r"the gradients of A and V and W are those of the absolute error",
    "V is doubled and B is halved": r"`gradients`: V is 2 times what it should be",
}


@dataclass(frozen=True)
class Told:
    """What a diagnosis says of a fault first, and whether it is right."""

    fault: Fault
    verdict: str
    sentence: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.fault.name}: {self.fault.cause!r}, told {self.sentence!r} ({self.verdict})"


def tell(fault: Fault, planted: Sequence[Departure] | None = ()) -> Told:
    """The first cause, with other hypotheses than the fault by default."""
    assert fault.implementation is not None
    calls.watch(fault.seconds)
    start = time.process_time()
    try:
        causes = diagnose(fault.implementation(), planted=planted, first=True)
    finally:
        calls.watch(None)
    seconds = time.process_time() - start
    if not causes:
        return Told(fault, UNEXPLAINED, "nothing", seconds)
    cause = fault.cause or fault.meaning
    said = re.sub(r", only with [^,]*$", "", causes[0].sentence)
    right = said == cause or (cause in SAME and re.fullmatch(SAME[cause], said))
    return Told(fault, RIGHT if right else WRONG if causes[0].explained else UNEXPLAINED, causes[0].sentence, seconds)


def table(groups: Iterable[tuple[str, Sequence[Told]]]) -> str:
    """Right, wrong and unexplained by group, with all that is not right."""
    lines, rest = [f"{'':12} right  wrong  unexplained"], []
    total: Counter[str] = Counter()
    for name, told in groups:
        count = Counter(one.verdict for one in told)
        total += count
        rest += [str(one) for one in told if one.verdict != RIGHT]
        lines.append(f"{name:12} {count[RIGHT]:5}  {count[WRONG]:5}  {count[UNEXPLAINED]:11}")
    lines.append(f"{'all':12} {total[RIGHT]:5}  {total[WRONG]:5}  {total[UNEXPLAINED]:11}")
    return "\n".join([*lines, *rest])


def main() -> None:
    """All of them; some minutes."""
    with single_threaded():
        planted = [(name, [tell(fault) for fault in faults]) for name, faults in GROUPS.items()]
        unseen = [("unseen", [tell(fault) for fault in UNSEEN])]
    every = [one.seconds for _, told in planted + unseen for one in told]
    seconds = f"seconds: {sum(every) / len(every):.2f} on average, {max(every):.2f} at most"
    sys.stdout.write(f"{table(planted)}\n\n{table(unseen)}\n\n{seconds}\n")


if __name__ == "__main__":
    main()
