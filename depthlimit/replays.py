"""What `replay` is given: a file with Specs, a record, a line of a file, or the name of a witness or a literal instance."""

from __future__ import annotations

import json
from pathlib import Path

from depthlimit.models.corpus import NAMED
from depthlimit.models.spec import BadInput, Spec, read_spec, read_specs
from depthlimit.models.verify import select
from depthlimit.theory.record import claim_id


def replayed(file: str) -> tuple[list[Spec], list[str], Path]:
    """Specs, the claim ids to check (all if empty) and the folder of arrays, from FILE, records.jsonl:LINE or a name.

    Of a witness the editions of what it refutes are checked, of another named instance everything.
    """
    if file in NAMED and not Path(file).exists():
        refuted = {c.label for c in select([]) if c.expect == file}
        editions = [c.id for c in select([]) if c.label in refuted and c.expect in (None, file)]
        return [NAMED[file]], editions, Path("arrays")
    name, _, number = file.rpartition(":")
    path = Path(name) if name and number.isdigit() else Path(file)
    if path.suffix == ".jsonl":
        try:
            lines = path.read_text().splitlines()
        except OSError as error:
            raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
        if not number.isdigit() or not 1 <= int(number) <= len(lines):
            raise BadInput(f"{file}: name a line from 1 to {len(lines)}, as in {path}:1")
        text = lines[int(number) - 1]
    else:
        try:
            text = path.read_text()
        except OSError as error:
            raise BadInput(
                f"{path}: cannot be read ({error.strerror}); expected a Spec, a record, file:LINE or one of {', '.join(NAMED)}"
            ) from None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{file}: not JSON ({error})") from None
    if isinstance(value, dict) and "claim" in value and "spec" in value:
        try:
            return [read_spec(value["spec"], file)], [claim_id(value)], path.parent / "arrays"
        except KeyError as error:
            raise BadInput(f"{file}: a record without {error}") from None
    if isinstance(value, dict) and "origin" in value and "spec" in value:
        return [read_spec(value["spec"], file)], [], path.parent / "arrays"
    return (read_specs(path) if path.suffix != ".jsonl" else [read_spec(value, file)]), [], path.parent / "arrays"
