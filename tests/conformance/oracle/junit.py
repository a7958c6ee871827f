"""JUnit XML for the displays of CI: one suite, one test case per claim and regime.

The elements and attributes are those that pytest writes, which every display reads. A violated or undecided claim is a `failure`, one
that could not be judged an `error`; what was not compared, and known failures, are `skipped` with the reason. No time is
measured per claim; `time` is 0 since some displays cannot do without it.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from depthlimit.conformance.explain import explain, replay
from depthlimit.conformance.oracle.outcome import FAILS, KNOWN, OPEN, SKIPPED, Case, Outcome
from depthlimit.theory import judgement as J

_REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 has no way to write


def _text(value: str) -> str:
    return _REFUSED.sub("\ufffd", value)


def _line(value: str) -> str:
    """One line, as attributes are shown."""
    return " ".join(_text(value).split())


def _testcase(outcome: Outcome, case: Case) -> ET.Element:
    element = ET.Element("testcase", classname=f"depthlimit.{case.regime}", name=case.claim.id, time="0")
    if case.state == SKIPPED:
        ET.SubElement(element, "skipped", type="not compared", message=_line("; ".join(case.reasons)))
    if case.worst is None:
        return element
    item = outcome.run.records[case.worst]
    text = explain(item) + "\n" + replay(outcome.run.file, case.worst + 1, outcome.run.implementation, outcome.run.identity["device"])
    number = len(case.wrong) or len(case.known)
    summary = f"{item['verdict']} on {number} of {case.total}: {item['reason'] or case.claim.meaning}"
    if case.state == KNOWN and case.entry is not None:
        entry = case.entry
        summary = f"known failure until {entry.expires}: {entry.reason} ({entry.link})"
        ET.SubElement(element, "skipped", type=KNOWN, message=_line(summary)).text = _text(text)
    elif case.state in (FAILS, OPEN):
        kind = "error" if item["verdict"] in (J.ERRORED, J.BLOCKED) else "failure"
        ET.SubElement(element, kind, type=item["verdict"], message=_line(summary)).text = _text(text)
    return element


def junit(outcome: Outcome) -> bytes:
    """The file, UTF-8. What is wrong with the list of known failures is a test case of its own."""
    elements = [_testcase(outcome, case) for case in outcome.cases]
    if outcome.known.problems:
        problem = ET.Element("testcase", classname="depthlimit", name="known failures", time="0")
        ET.SubElement(problem, "failure", type="out of date", message=_line("; ".join(outcome.known.problems)))
        elements.append(problem)
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {name: str(sum(e.find(tag) is not None for e in elements)) for name, tag in kinds.items()}
    root = ET.Element("testsuites", name="depthlimit")
    about = {"name": _line(f"depthlimit: {outcome.run.implementation}"), "tests": str(len(elements)), **counts, "time": "0"}
    ET.SubElement(root, "testsuite", about).extend(elements)
    ET.indent(root, " ")
    written: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + written + b"\n"
