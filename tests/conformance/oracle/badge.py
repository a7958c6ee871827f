"""A badge: how many claims were checked, or how many fail, as an SVG that needs nothing else and as the JSON that shields.io reads.

It never says more than that claims were checked: what holds on instances is not proved.
"""

from __future__ import annotations

from html import escape
from typing import Any

from depthlimit.conformance.oracle.outcome import FAILS, KNOWN, OPEN, Outcome
from depthlimit.reports.words import count

LABEL = "depthlimit"
_COLOURS = {"brightgreen": "#2f7d1f", "yellow": "#8a6400", "red": "#b3261e", "lightgrey": "#5f5f5f"}  # contrast with white above 4.5
_LETTER, _PAD = 6.6, 6.0  # px of an average letter of 11 px Verdana; `textLength` makes any font fit


def message(outcome: Outcome) -> tuple[str, str]:
    """The words on the badge, and the colour by shields.io's name."""
    fail, undecided, known = (outcome.count(state) for state in (FAILS, OPEN, KNOWN))
    if not outcome.checked:
        return "nothing checked", "lightgrey"
    if fail:
        return f"{fail} {'fails' if fail == 1 else 'fail'}", "red"
    if outcome.known.problems:
        return "known failures out of date", "red"
    parts = [f"{count(outcome.checked - known - undecided, 'claim')} checked"]
    parts += [f"{undecided} undecided"] * bool(undecided) + [f"{count(known, 'known failure')}"] * bool(known)
    return ", ".join(parts), "yellow" if undecided or known else "brightgreen"


def endpoint(outcome: Outcome) -> dict[str, Any]:
    """The object that shields.io's endpoint badge reads."""
    text, colour = message(outcome)
    return {"schemaVersion": 1, "label": LABEL, "message": text, "color": colour}


def svg(outcome: Outcome) -> str:
    """The badge as an SVG of 20 px height."""
    text, colour = message(outcome)
    left, right = (round(len(words) * _LETTER + 2 * _PAD) for words in (LABEL, text))
    title = escape(f"{LABEL}: {text}")
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">
<title>{title}</title>
<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)">
<rect width="{left}" height="20" fill="#555"/>
<rect x="{left}" width="{right}" height="20" fill="{_COLOURS[colour]}"/>
</g>
<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">
<text x="{_PAD:g}" y="14" textLength="{left - 2 * _PAD:g}">{LABEL}</text>
<text x="{left + _PAD:g}" y="14" textLength="{right - 2 * _PAD:g}">{escape(text)}</text>
</g>
</svg>
"""
