"""What README.md and the guides print is what their commands print, and what the documents name exists.

Fenced blocks `console` (lines `$ command`) and `python` (lines `>>>`) of a document are run in order, in one folder and one namespace; a
block `python` that starts with `# NAME.py` is written to that file. What they print is compared with what stands below them. A line
`...` stands for any lines, `...` within a line for any text. Numbers are compared to the digits that are claimed, see `_agree`. Blocks
`sh` hold what takes minutes: they are parsed, and not run.

    python tests/meta/test_readme.py --update      # run the blocks and write what they print into these documents
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
RUN = (README, ROOT / "docs" / "write-an-adapter.md")
DOCUMENTS = (
    *RUN,
    *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / "docs" / name for name in ("architecture.md", "figures.md", "oracle.md", "performance.md")),
)
LAYERS = ("adapters", "benchmarks", "depthlimit", "theory", "models", "reports", "tests/conformance")

_NUMBER = r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w|\.\d)"
_FILE = r"# (\w+\.py)"
_RADIUS = re.compile(r"\s*±\s*$")


@dataclass(frozen=True)
class Example:
    """A command, a statement or the text of a file, and the lines of its document, from 0, on which its output stands."""

    kind: str
    source: str
    start: int
    want: tuple[str, ...]


def blocks(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """Language, number of the first line (from 0) and lines of each fenced block."""
    lines = text.splitlines()
    fences = [i for i, line in enumerate(lines) if line.startswith("```")]
    for opening, closing in zip(fences[::2], fences[1::2], strict=True):
        yield lines[opening].removeprefix("```").strip(), opening + 1, lines[opening + 1 : closing]


def examples(text: str) -> list[Example]:
    """All that is run, in order."""
    out = []
    for language, first, lines in blocks(text):
        if language == "console":
            prompts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
            for here, following in pairwise([*prompts, len(lines)]):
                want = tuple(lines[here + 1 : following])
                out.append(Example("console", lines[here][2:], first + here + 1, want))
        elif language == "python" and re.fullmatch(_FILE, lines[0]):
            out.append(Example("file", "\n".join(lines) + "\n", first + len(lines), ()))
        elif language == "python":
            for found in doctest.DocTestParser().get_examples("\n".join(lines) + "\n"):
                start = first + found.lineno + found.source.count("\n")
                out.append(Example("python", found.source, start, tuple(found.want.splitlines())))
    return out


@dataclass
class Session:
    """Runs examples in one folder and one namespace."""

    folder: Path
    names: dict[str, Any] = field(default_factory=dict)

    def run(self, example: Example) -> list[str]:
        """The lines that an example prints; a status other than 0 is a line of its own."""
        with contextlib.chdir(self.folder):
            if example.kind == "file":
                Path(example.source.split()[1]).write_text(example.source, encoding="utf-8")
                return []
            if example.kind == "python":
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    exec(compile(example.source, f"<line {example.start}>", "single"), self.names)
                return printed.getvalue().splitlines()
            program, *arguments = shlex.split(example.source)
            output, status = {"depthlimit": _depthlimit, "pytest": _pytest}[program](arguments)
        return [line.rstrip() for line in output.splitlines()] + ([f"[status {status}]"] if status else [])


def _depthlimit(arguments: list[str]) -> tuple[str, int]:
    """The console script in this process: a new one would import for four seconds each time."""
    from depthlimit.cli import main

    argv, sys.argv = sys.argv, ["depthlimit", *arguments]
    printed, said, status = io.StringIO(), io.StringIO(), 0
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
            main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.argv = argv
    return printed.getvalue() + (said.getvalue() if status == 2 else ""), status


def _pytest(arguments: list[str]) -> tuple[str, int]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.returncode


# --- comparing


def _pattern(line: str) -> re.Pattern[str]:
    """What a printed line must look like: its words, any number for each number, any text for `...`."""

    def made(part: str) -> str:
        if re.fullmatch(_NUMBER, part):
            return f"({_NUMBER})"
        return ".*?" if part == "..." else r"\s+" if part.isspace() else re.escape(part)

    parts = re.split(rf"({_NUMBER}|\.\.\.|\s+)", line.strip())
    return re.compile("".join([r"\s*", *(made(part) for part in parts if part), r"\s*"]))


def _unit(text: str) -> float:
    """One unit of the last printed digit; 0 for integers, which are counts and are compared exactly."""
    mantissa, _, exponent = text.partition("e")
    if "." not in mantissa and not exponent:
        return 0.0
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def _agree(want: re.Match[str], got: re.Match[str]) -> bool:
    """Whether the numbers of two lines of the same pattern agree to the digits that they claim.

    Two runs that differ by far less than a digit may still round to neighbours, hence one unit of the last
    digit. Of `a ± r` the claim is that the true value lies within r: two such agree within the sum of their
    radii (and that unit). A radius itself may grow to twice what is printed: a wider one would make the
    comparison empty.
    """
    for index, (a, b) in enumerate(zip(want.groups(), got.groups(), strict=True), start=1):
        x, y, slack = float(a), float(b), 1.000001 * max(_unit(a), _unit(b))
        before, after = want.string[: want.start(index)], want.string[want.end(index) :]
        if _RADIUS.search(before):
            if y > 2 * x + slack:
                return False
            continue
        if re.match(r"\s*±", after):
            slack += float(want.group(index + 1)) + float(got.group(index + 1))
        if abs(x - y) > slack:
            return False
    return True


def pair(want: tuple[str, ...], got: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Lines that stand in the README with those that were printed for them, and what has no partner."""
    pairs, complaints = [], []
    at, free = 0, False
    for line in want:
        if line.strip() == "...":
            free = True
            continue
        pattern = _pattern(line)
        last = len(got) if free else at + 1
        found = next((i for i in range(at, min(last, len(got))) if pattern.fullmatch(got[i])), None)
        if found is None:
            complaints.append(f"not printed: {line}")
            complaints += [] if free or at >= len(got) else [f"but this:    {got[at]}"]
            continue
        pairs.append((line, got[found]))
        at, free = found + 1, False
    if not complaints and not free:
        complaints += [f"printed too: {line}" for line in got[at:] if line.strip()]
    return pairs, complaints


def differences(want: tuple[str, ...], got: list[str]) -> list[str]:
    """What a reader of the README would find different."""
    pairs, complaints = pair(want, got)
    for line, printed in pairs:
        pattern = _pattern(line)
        a, b = pattern.fullmatch(line), pattern.fullmatch(printed)
        assert a is not None and b is not None
        if not _agree(a, b):
            complaints += [f"not printed: {line}", f"but this:    {printed}"]
    return complaints


def refreshed(example: Example, got: list[str]) -> list[str]:
    """The lines that replace an example's output."""
    if not any("..." in line for line in example.want):
        return got
    pairs, complaints = pair(example.want, got)
    if complaints:
        print(f"line {example.start}, to be edited by hand:", *complaints, sep="\n  ")
        return list(example.want)
    new = iter(pairs)
    return [line if line.strip() == "..." else _renewed(*next(new)) for line in example.want]


def _renewed(line: str, printed: str) -> str:
    if "..." not in line:
        return printed
    found = _pattern(line).fullmatch(printed)
    assert found is not None
    numbers = iter(found.groups())
    return re.sub(_NUMBER, lambda _: next(numbers), line)


def update() -> None:
    """Run the blocks and write what they print into their documents."""
    for document in RUN:
        text = document.read_text(encoding="utf-8")
        lines = text.splitlines()
        found = examples(text)
        with tempfile.TemporaryDirectory() as folder:
            session = Session(Path(folder))
            outputs = [session.run(example) for example in found]
        for example, got in reversed(list(zip(found, outputs, strict=True))):
            lines[example.start : example.start + len(example.want)] = refreshed(example, got)
        document.write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- tests


@pytest.mark.parametrize("document", RUN, ids=lambda path: path.name)
def test_every_block_of_a_document_prints_what_stands_below_it(document: Path, tmp_path: Path) -> None:
    session = Session(tmp_path)
    complaints = []
    for example in examples(document.read_text(encoding="utf-8")):
        if found := differences(example.want, session.run(example)):
            complaints += [f"{document.name}:{example.start}: {example.source.splitlines()[0]}", *found, ""]
    if complaints:
        complaints.append("after a change that is meant: python tests/meta/test_readme.py --update")
        pytest.fail("\n".join(complaints), pytrace=False)


def test_the_readme_has_both_kinds_of_blocks_and_nothing_is_left_unrun() -> None:
    text = README.read_text(encoding="utf-8")
    assert {"console", "python"} <= {example.kind for example in examples(text)}
    assert {language for document in RUN for language, _, _ in blocks(document.read_text(encoding="utf-8"))} <= {"console", "python", "sh"}


def test_commands_that_are_not_run_exist_with_these_options(pytestconfig: pytest.Config) -> None:
    from depthlimit.cli import app

    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    found = [block for document in DOCUMENTS for block in blocks(document.read_text(encoding="utf-8"))]
    lines = [line for language, _, text in found if language == "sh" for line in text]
    assert lines
    for line in lines:
        program, *arguments = shlex.split(line, comments=True) or [""]
        if program == "make":
            assert {a for a in arguments if "=" not in a} <= targets, line
        elif program == "depthlimit":
            try:
                commands[arguments[0]].make_context(arguments[0], arguments[1:])
            except Exception as error:  # of a class that depends on typer's version
                pytest.fail(f"{line}: {error}", pytrace=False)
        elif program == "pytest":
            for option in (a.partition("=")[0] for a in arguments if a.startswith("--depthlimit-")):
                pytestconfig.getoption(option)  # raises ValueError for an option that does not exist
        elif program == "python" and arguments[0] == "-m":
            module = ROOT / arguments[1].replace(".", "/")
            assert module.with_suffix(".py").is_file() or (module / "__main__.py").is_file(), line
        elif program == "python":
            assert (ROOT / arguments[0]).is_file(), line
        else:
            assert not program, f"{line}: nothing checks that this command exists"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    paths = list((ROOT / "tests").rglob("*.py"))
    defined = {path.stem for path in paths}
    defined |= {name for path in paths for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))}
    assert not set(re.findall(r"(?<![\w*])test_\w+", text)) - defined
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (document.parent / link).exists()]
    named = re.findall(r"`((?:adapters|benchmarks|depthlimit|theory|models|reports|tests|docs)/[\w./-]*)`", text)
    missing += [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_the_architecture_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py") if path.stem != "__init__"]
    assert not [name for path in paths if f"`{(name := path.relative_to(ROOT).as_posix())}`" not in text]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_place_on_somebodys_machine(document: Path) -> None:
    assert not re.findall(r"(?<![\w./])/(?:home|root|tmp|usr|work)/\S*", document.read_text(encoding="utf-8"))


_SLOPE = "paper holds -0.9998 ± 0.0003"


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ("4 claims", "4 claims", True),
        ("4 claims", "5 claims", False),
        ("ratio 1.23", "ratio 1.24", True),
        ("ratio 1.23", "ratio 1.25", False),
        ("ratio 1.23", "ratio  -1.23", False),
        ("error 3e-12", "error 4e-12", True),
        ("error 3e-12", "error 3e-11", False),
        (_SLOPE, "paper holds -1.0001 ± 0.0003", True),
        (_SLOPE, "paper holds -1.0010 ± 0.0003", False),
        (_SLOPE, "paper holds -1.0010 ± 0.0100", False),
        (_SLOPE, "paper undecided -0.9998 ± 0.0003", False),
        ("10^-10^22508 prop7.gap", "10^-10^22508 prop7.gap", True),
        ("10^-10^22508 prop7.gap", "10^-10^22509 prop7.gap", False),
        ("4 passed, ... in ...", "4 passed, 31 deselected in 2.07s", True),
        ("4 passed, ... in ...", "3 passed, 1 failed in 2.07s", False),
    ],
)
def test_numbers_are_compared_to_the_digits_that_are_claimed(want: str, got: str, same: bool) -> None:
    assert (not differences((want,), [got])) is same


def test_lines_that_are_missing_or_unexpected_are_noticed_and_elided_ones_are_not() -> None:
    got = ["first", "second 2.0", "third"]
    assert not differences(("...", "second 2.0", "..."), got)
    assert not differences(("first", "...", "third"), got)
    assert differences(("...", "second 2.0"), got)
    assert differences(("second 2.0", "..."), got)
    assert differences(("...", "fourth"), got)
    assert differences((), got)


def test_an_update_keeps_what_is_elided() -> None:
    example = Example("console", "", 0, ("...", "second 1.0 of ...", "..."))
    assert refreshed(example, ["first", "second 2.0 of 7", "third"]) == ["...", "second 2.0 of ...", "..."]
    assert refreshed(Example("console", "", 0, ("old",)), ["new 1"]) == ["new 1"]


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        raise SystemExit("usage: python tests/meta/test_readme.py --update")
    update()
