"""How numbers, verdicts and the run as a whole are put into words.

Numbers become `Markup` with a true minus sign and superscripts, so that a tower reads 10^(10^22508). A
verdict is a sign and a word, so that colour is never the only signal. `sentence` is the one line at the top
of the front page: it counts a claim without power apart and names what came out otherwise than registered
before anything else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from depthlimit.reports.aggregate import NOT_RUN, Result, Run
from depthlimit.theory.claim import Claim
from depthlimit.theory.judgement import (
    BLOCKED,
    ERRORED,
    HOLDS,
    OUT_OF_HYPOTHESIS,
    UNDECIDED,
    UNSUPPORTED,
    VIOLATED,
)

NO_POWER = "holds, no power"
REFUTED = "refuted"
UNREFUTED = "unrefuted"
UNEXPECTED = "unexpected"
SIGNS = {
    HOLDS: "✓",
    NO_POWER: "○",
    VIOLATED: "✗",
    UNDECIDED: "?",
    REFUTED: "✗",
    OUT_OF_HYPOTHESIS: "–",
    UNSUPPORTED: "⊘",
    ERRORED: "!",
    BLOCKED: "!",
    NOT_RUN: "·",
}
MOODS = {HOLDS: "good", NO_POWER: "weak", UNDECIDED: "warn", VIOLATED: "warn"}
DASH = Markup("–")
THIN = "\u202f"  # a narrow space that does not break
_FLOAT = 300  # decimal exponents within which a power of ten is a float


def minus(text: str) -> str:
    """`text` with a true minus sign."""
    return text.replace("-", "−")


def number(value: float | None, digits: int = 3) -> Markup:
    """A float to some significant digits, as 0.0123 or 1.23 · 10^-5."""
    if value is None:
        return DASH
    if value == 0 or not math.isfinite(value):
        return Markup(minus(f"{value:g}"))
    exponent = math.floor(math.log10(abs(value)))
    if -4 < exponent < 5:
        return Markup(minus(f"{value:.{max(digits, exponent + 1)}g}"))
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return Markup(f"{minus(mantissa)}{THIN}·{THIN}10<sup>{minus(str(int(power)))}</sup>")


def power(log10: float) -> Markup:
    """10^log10: with a mantissa as long as a float's exponent says something about it."""
    if abs(log10) < _FLOAT:
        return number(10.0**log10)
    return Markup(f"10<sup>{minus(f'{log10:.6g}')}</sup>")


def tower(log10log10: float, sign: str = "") -> Markup:
    """10^(±10^log10log10)."""
    return Markup(f"10<sup>{sign}10<sup>{number(log10log10, 6)}</sup></sup>")


def side(value: float | None, scale: str) -> Markup:
    """A side of a relation as recorded on a scale."""
    if value is None:
        return DASH
    return number(value) if scale == "linear" else power(value) if scale == "log10" else tower(value)


def tightness(log10: float | None, scale: str) -> Markup:
    """A tightness from its log10, or from the log10 of its negative for towers."""
    if log10 is None:
        return DASH
    return tower(log10, "−") if scale == "log10log10" else power(log10)


def factor(value: float | None) -> Markup:
    """A detectable factor; one that is 1 to three digits is written 1 + excess."""
    if value is None:
        return Markup('<abbr title="no finite factor would be noticed">∞</abbr>')
    if value <= 1:
        return Markup("1")
    if value - 1 < 0.005:
        return Markup(f"1{THIN}+{THIN}") + number(value - 1, 2)
    return number(value)


def full(value: float | None) -> Markup:
    """17 significant digits, from which the float is read back exactly."""
    return DASH if value is None else Markup(f"<code>{value:.17g}</code>")


def full_side(value: float | None, scale: str) -> Markup:
    """A side with 17 digits, and what was taken the logarithm of."""
    if value is None or scale == "linear":
        return full(value)
    name = "log<sub>10</sub>" if scale == "log10" else "log<sub>10</sub>log<sub>10</sub>"
    return Markup(name + " = ") + full(value)


def verdict(word: str, row: Mapping[str, Any] | None = None) -> Markup:
    """A verdict as sign and word; with the summary's entry also whether it is the registered one."""
    unexpected = row is not None and not row["as_expected"]
    mood = "bad" if unexpected else MOODS.get(word, "plain")
    tail = ", unexpected" if unexpected else ", as registered" if word == REFUTED else ""
    return Markup('<mark class="{}">{} {}{}</mark>').format(mood, SIGNS.get(word, "·"), word, tail)


def rung(claim: Claim) -> str:
    """Edition and inputs."""
    return f"{claim.edition}, {claim.inputs}"


def count(n: int, one: str) -> str:
    """`3 claims`, `1 claim`."""
    return f"{n} {one}" if n == 1 else f"{n} {one}s"


def sort_out(run: Run) -> dict[str, list[Result]]:
    """The claims by what the run says of them, each in exactly one list."""
    names = (
        UNEXPECTED,
        HOLDS,
        NO_POWER,
        UNDECIDED,
        REFUTED,
        UNREFUTED,
        OUT_OF_HYPOTHESIS,
        UNSUPPORTED,
        NOT_RUN,
    )
    piles: dict[str, list[Result]] = {name: [] for name in names}
    for result in run.results.values():
        row = result.row
        if not row["as_expected"]:
            piles[UNEXPECTED].append(result)
        elif row["expected"] == REFUTED and row["verdict"] not in (REFUTED, NOT_RUN):
            piles[UNREFUTED].append(result)
        else:
            piles[row["verdict"]].append(result)
    return piles


# One claim, several claims.
_PARTS = {
    HOLDS: ("was not falsified by checks with power", "were not falsified by checks with power"),
    NO_POWER: ("holds without power and counts for nothing", "hold without power and count for nothing"),
    UNDECIDED: ("is undecided", "are undecided"),
    REFUTED: ("is refuted as registered", "are refuted as registered"),
    UNREFUTED: (
        "is registered as refuted and not refuted here",
        "are registered as refuted and not refuted here",
    ),
    OUT_OF_HYPOTHESIS: ("met no instance within its hypotheses", "met no instance within their hypotheses"),
    UNSUPPORTED: ("is not supported by the implementation", "are not supported by the implementation"),
}


def sentence(run: Run, piles: Mapping[str, list[Result]]) -> Markup:
    """The verdict on the run in one sentence."""
    start = "" if run.identity.get("finished") else "The run did not finish; on what it recorded: "
    ran = sum(r.was_run for r in run.results.values())
    if not ran:
        return escape(f"{start}{'nothing' if start else 'Nothing'} was checked.")
    head = f"{start}{'of' if start else 'Of'} {count(ran, 'claim')} checked, "
    if bad := piles[UNEXPECTED]:
        names = ", ".join(r.claim.id for r in bad[:3]) + (", …" if len(bad) > 3 else "")
        head += f"{len(bad)} came out otherwise than registered ({names}), "
    parts = [
        f"{len(piles[key])} {one if len(piles[key]) == 1 else many}" for key, (one, many) in _PARTS.items() if piles[key] or key == HOLDS
    ]
    text = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    tail = "." if bad or piles[UNREFUTED] else "; nothing came out otherwise than registered."
    return escape(head + text + tail)
