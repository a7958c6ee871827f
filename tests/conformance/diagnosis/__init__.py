"""Why an implementation fails: probable causes, worked out from which answers are wrong and how.

    for cause in diagnose(implementation):
        print(cause.text())

The implementation is asked the questions of `questions`. Methods build on one another, so the first whose answers are not the reference's
is where the fault lies. Its cause is sought among hypotheses that are implementations themselves: planted faults, and departures from the
model that know of none. A hypothesis explains the failure if, asked the same questions in the same order, it gives the same answers within
their rounding, right ones included. Where none does, the wrong answers are described: by a constant ratio to the right ones, by
what the wrong ones share, by where they are wrong, by the size of the error. What a cause explains in later methods is its
consequence; what builds on a wrong method is blocked by it; anything else has a cause of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from depthlimit.conformance.diagnosis.departures import departures
from depthlimit.conformance.diagnosis.laws import Departure
from depthlimit.conformance.diagnosis.network import Changed
from depthlimit.conformance.diagnosis.patterns import described, inconsistent, increments
from depthlimit.conformance.diagnosis.questions import METHODS, Answer, Question, questions
from depthlimit.conformance.oracle.failures import UPSTREAM
from depthlimit.models import calls
from depthlimit.models.calls import Misbehaviour
from depthlimit.models.data import ArrayStore
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec

_CALLED = {"velocity": ("gradients",)}  # what the reference's methods call of themselves
_ROUGH = 1e-4  # the accuracy with which departures are integrated that may be far off; they remember no call, so one more does nothing
_PROBABLE = 0.5  # of the wrong answers of a method: what explains fewer is no probable cause


@dataclass(frozen=True)
class Cause:
    """A probable cause.

    Args:
        sentence: what is wrong, in the words of the model.
        method: the method in which the fault shows first.
        wrong, explained: how many answers of that method are wrong, and how many of these the cause explains; 0 where the sentence
            only says what is wrong.
        evidence: sentences with the numbers.
        consequences: later methods whose wrong answers the cause explains too.
        blocked: later methods that are wrong too and build on this one; nothing can be said of them before it is right.
        rivals: sentences of other hypotheses that explain as much.
    """

    sentence: str
    method: str
    wrong: int
    explained: int
    evidence: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()

    def text(self) -> str:
        """The sentence, and below it why."""
        lines = [f"{self.method}: {self.sentence}", *(f"  {one}" for one in self.evidence)]
        if self.consequences:
            lines.append(f"  consequences: {', '.join(self.consequences)}")
        if self.blocked:
            lines.append(f"  blocked by {self.method}: {', '.join(self.blocked)}")
        if self.rivals:
            lines.append(f"  as likely: {'; '.join(self.rivals)}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}


@dataclass
class Asked:
    """The answers of an implementation to all questions, and which are wrong."""

    asked: Sequence[Question]
    answers: list[Answer]
    wrong: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.wrong = [i for i, (q, a) in enumerate(zip(self.asked, self.answers, strict=True)) if not q.right(a)]

    def of(self, method: str) -> list[int]:
        """Indices of the wrong answers of a method."""
        return [i for i in self.wrong if self.asked[i].method == method]

    def parts(self, i: int) -> list[str]:
        """The parts of an answer that are wrong."""
        a, q = self.answers[i], self.asked[i]
        return [k for k, off in q.differences(a, q.expected).items() if np.max(off, initial=0.0) > 1] if isinstance(a, Mapping) else []

    def methods(self) -> list[str]:
        """Methods with wrong answers, in the order in which they build on one another."""
        return [method for method in METHODS if self.of(method)]


def _planted() -> list[Departure]:
    """Planted faults as hypotheses; those that stop a process, or never answer, cannot be asked."""
    from depthlimit.conformance.faults import FAULTS

    return [Departure(f.cause or f.meaning, f.implementation) for f in FAULTS if f.implementation is not None and f.seconds is None]


def _answers(asked: Sequence[Question], implementation: Any, first: bool) -> list[Answer]:
    """All answers; a method that does not come back is not asked again, and flows are not if the `first` cause lies before them."""
    found: list[Answer] = []
    stuck: set[str] = set()
    for q in asked:
        if first and q.method == "flow" and all(r.method != "flow" for r in asked[: len(found)]):
            stuck |= set() if all(map(Question.right, asked, found)) else {"flow"}
        found.append(None if q.method in stuck else q.put(implementation))
        if isinstance(last := found[-1], Misbehaviour) and last.kind in ("hang", "crash"):
            stuck.add(q.method)
    return found


@dataclass(frozen=True)
class _Fit:
    """How a hypothesis fares. Up to the method of the failure every answer agrees, or every output does where states do not;
    of later methods so many wrong answers are explained and so many answers contradicted. `off`: the worst difference in units of
    what two answers may differ by."""

    sentence: str
    explained: Mapping[str, int]
    contradicted: int
    partly: bool
    off: float

    def order(self) -> tuple[bool, int, int]:
        return self.partly, self.contradicted, -sum(self.explained.values())


def _inherited(hypothesis: type[NumpyImplementation], method: str) -> bool:
    """Whether a hypothesis leaves a method and all that it is made of to the reference: then its answers are right."""
    return all(getattr(hypothesis, name) is getattr(NumpyImplementation, name) for name in (method, *_CALLED.get(method, ()), "batch"))


class _Transcript:
    """A hypothesis's answers to the questions in their order, each asked when it is first needed; what it inherits is not asked."""

    def __init__(self, asked: Sequence[Question], hypothesis: NumpyImplementation) -> None:
        self.asked, self.hypothesis = asked, hypothesis
        self.inherited = {method for method in METHODS if _inherited(type(hypothesis), method)}
        if isinstance(hypothesis, Changed):
            self.inherited |= {"forward", "loss", "gradients", "neural_ode"} - set(hypothesis.only)
        self._answers: list[Answer] = []

    def answer(self, i: int) -> Answer:
        """The answer to question i, those before it asked."""
        for q in self.asked[len(self._answers) : i + 1]:
            self._answers.append(q.expected if q.method in self.inherited else q.put(self.hypothesis))
        return self._answers[i]


_KEPT: dict[Any, _Transcript] = {}  # of planted faults, on our own questions: each is asked once per process


def _transcript(departure: Departure, asked: Sequence[Question]) -> _Transcript:
    if not isinstance(departure.make, type) or len(asked) != len(questions()):
        return _Transcript(asked, departure.make())
    return _KEPT.setdefault(departure.make, _Transcript(asked, departure.make()))


def _far(departure: Departure, found: Asked, method: str) -> bool:
    """Whether a hypothesis on what is integrated is far from an answer when integrated roughly: no need then to do it well."""
    at = next((i for i in found.of(method) if isinstance(found.answers[i], Mapping)), None)
    if method not in ("flow", "neural_ode") or at is None:
        return False
    q, given = found.asked[at], found.answers[at]
    other = replace(q, network={**q.network, "rtol": _ROUGH}).put(departure.make())
    if not isinstance(other, Mapping) or not isinstance(given, Mapping):
        return False
    starts = q.arguments.get("params", {"hidden": q.expected["hidden"][:1]} if method == "neural_ode" else {})
    moved = sum(float(np.sum((v - starts.get(k, 0)) ** 2)) for k, v in q.expected.items())
    apart, off = (sum(float(np.sum((np.asarray(given[k]) - b[k]) ** 2)) for k in q.expected) for b in (q.expected, other))
    return bool(off > 0.1 * apart + (1e2 * _ROUGH) ** 2 * moved)


def _fit(departure: Departure, found: Asked, method: str, skipped: frozenset[str]) -> _Fit | None:
    """None as soon as an answer of the method, or of one before it, is another."""
    transcript, wrong = _transcript(departure, found.asked), set(found.wrong)
    if method in transcript.inherited:
        return None
    explained, contradicted, partly, off = dict.fromkeys(METHODS, 0), 0, False, 0.0
    for i, q in enumerate(found.asked):
        answer = found.answers[i]
        if q.method in skipped or answer is None:
            continue
        if q.method in transcript.inherited:
            same = i not in wrong
        else:
            other = transcript.answer(i)
            same = q.same(answer, other)
            if q.method == method and isinstance(answer, Mapping) and isinstance(other, Mapping):
                apart = q.differences(answer, other)
                partly = partly or not same
                same = same or (method == "forward" and bool(np.all(apart["output"] <= 1)))
                off = max([off, *(float(np.max(d, initial=0.0)) for k, d in apart.items() if not partly or k == "output")])
        if not same and METHODS.index(q.method) <= METHODS.index(method):
            return None
        contradicted += not same
        explained[q.method] += same and i in wrong
    if partly and not any("output" in found.parts(i) for i in found.of(method)):
        return None
    return _Fit(departure.sentence, explained, contradicted, partly, off)


def _evidence(found: Asked, method: str) -> Iterator[str]:
    """How many are wrong, by how much, and what they share."""
    wrong, asked = found.of(method), [i for i, q in enumerate(found.asked) if q.method == method]
    yield f"{len(wrong)} of {len(asked)} answers are wrong"
    misbehaved = [a for i in wrong if isinstance(a := found.answers[i], Misbehaviour)]
    if misbehaved:
        yield str(misbehaved[0])
        return
    worst: tuple[float, str] = (0.0, "")
    for i in wrong:
        q, a = found.asked[i], found.answers[i]
        assert isinstance(a, Mapping)
        for part, off in q.differences(a, q.expected).items():
            size = float(np.linalg.norm(q.expected[part])) or 1.0
            apart = float(np.linalg.norm(np.asarray(a[part]) - q.expected[part]))
            if np.max(off, initial=0.0) > 1 and apart / size > worst[0]:
                sizes = ", ".join(f"{k}={q.network[k]}" for k in ("L", "q", "m", "n", "d", "dout"))
                worst = apart / size, f"{part} is off by {apart / size:.2g} of its size at {sizes}"
    yield worst[1]
    if method == "forward" and (text := increments([(found.asked[i], a) for i in wrong if isinstance(a := found.answers[i], Mapping)])):
        yield text


def _hypothesis(
    found: Asked, method: str, hypotheses: Iterable[Departure], skipped: frozenset[str], rough: bool = False
) -> tuple[_Fit | None, list[str]]:
    """The best fit and the sentences of others that explain as much; those that come first are preferred."""
    fits = [
        fit for one in hypotheses if not (rough and _far(one, found, method)) and (fit := _fit(one, found, method, skipped)) is not None
    ]
    if not fits:
        return None, []
    best = min(fits, key=_Fit.order)
    rivals = [fit.sentence for fit in fits if fit.order() == best.order() and fit.sentence != best.sentence]
    return best, list(dict.fromkeys(rivals))


def diagnose(
    implementation: Any,
    specs: Sequence[Spec] = (),
    arrays: ArrayStore | None = None,
    planted: Sequence[Departure] | None = None,
    first: bool = False,
) -> list[Cause]:
    """Probable causes, the one to look at first in front; none if every answer is right.

    specs: instances on which the implementation failed, asked about besides our own questions. planted: hypotheses that
    are preferred to departures (default: every planted fault). first: the first cause is enough, so what it leads to in flows is not asked.
    """
    asked = questions(specs, arrays)
    answers = _answers(asked, implementation, first)
    with calls.unlimited():
        return _causes(Asked(asked, answers), _planted() if planted is None else planted)


def _causes(found: Asked, catalogue: Sequence[Departure]) -> list[Cause]:
    """One for each method whose failure neither another cause explains nor a wrong method blocks."""
    asked = found.asked
    causes: list[Cause] = []
    done: set[str] = set()
    for method in found.methods():
        if method in done:
            continue
        wrong, later = found.of(method), [other for other in found.methods() if other not in done and other != method]
        fit, rivals = _hypothesis(found, method, catalogue, frozenset(done))
        said = None if fit is not None else inconsistent(asked, found.answers, wrong, method)
        if fit is None and said is None:
            fit, rivals = _hypothesis(found, method, departures(method), frozenset(done), rough=True)
        if fit is not None:
            consequences = tuple(other for other in later if fit.explained[other] > _PROBABLE * len(found.of(other)))
            which = "outputs, though not states, are" if fit.partly else "answers are"
            more: tuple[str, ...] = (f"all {which} those of this alternative, within {fit.off:.2g} of what two may differ by",)
            sentence, explained = fit.sentence, len(wrong)
        else:
            sentence, explained, more = said or described(asked, found.answers, wrong, method)
            consequences = ()
        blocked = tuple(other for other in later if other not in consequences and method in UPSTREAM[other])
        evidence = (*_evidence(found, method), *more)
        causes.append(Cause(sentence, method, len(wrong), explained, evidence, consequences, blocked, tuple(rivals[:3])))
        done |= {method, *consequences, *blocked}
    return causes
