"""The command line: verify, list, explain, constants, differences, replay, report, break, figures, oracle, baseline.

stdout is the result, stderr the progress. Status: 0 as expected, 1 a violation or an errored case, 2 bad input (nothing is written), 3
undecided only, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthlimit import baseline, chosen, oracle
from depthlimit.console import command, new_folder, progress, write_report

if TYPE_CHECKING:
    from depthlimit.models.verify import Plan
    from depthlimit.theory.claim import Claim

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(oracle.app, name="oracle")
app.add_typer(baseline.app, name="baseline")
INTERRUPTED = 130
_IMPLEMENTATION = "torch, numpy, compiled or package.module:factory (default: compiled; torch on cuda)"


def main() -> None:
    """Entry point of the console script; turns bad input and interruption into their status."""
    from depthlimit.models.spec import BadInput

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # one thread in each process: see models.check.THREADS
    try:
        app()  # ends with SystemExit, whatever the command returns
    except BadInput as error:
        print(f"depthlimit: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit as stop:  # typer turns an interruption from the keyboard into this status
        if stop.code == INTERRUPTED:
            print("depthlimit: interrupted; what was complete is kept, and --resume continues it", file=sys.stderr)
        raise


@app.command()
def verify(
    profile: Annotated[str, typer.Option(help="quick, standard or deep: how many generated instances")] = "quick",
    only: Annotated[list[str] | None, typer.Option(help="claim id, label or prefix; may be repeated")] = None,
    spec: Annotated[Path | None, typer.Option(help="JSON file with one Spec or a list, instead of corpus and generated ones")] = None,
    data: Annotated[str | None, typer.Option(help="FILE.csv, FILE.npz or sklearn:NAME, added to the generated regimes")] = None,
    target: Annotated[list[str] | None, typer.Option(help="target column of a .csv; may be repeated (default: the last)")] = None,
    implementation: Annotated[str | None, typer.Option(help=_IMPLEMENTATION)] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    workers: Annotated[int, typer.Option(help="processes, at most one per core is useful; 0 means one per core")] = 0,
    seed: Annotated[int, typer.Option(help="seed of generated instances and of the rows of --data")] = 0,
    out: Annotated[Path | None, typer.Option(help="folder of the run (default: a new depthlimit-out/NNNN)")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in --out")] = False,
) -> None:
    """Check every claim on the corpus, on generated and on real data; write records and the report."""
    from depthlimit.models.server import start_server

    workers, implementation = workers or len(os.sched_getaffinity(0)), implementation or chosen(device)
    if workers > 1:
        start_server(implementation)  # its imports take as long as those here and the planning
    from depthlimit.models import spec as specs
    from depthlimit.models import userdata
    from depthlimit.models import verify as runs
    from depthlimit.models.data import stored

    if workers < 0 or seed < 0 or seed >= 2**32:
        raise specs.BadInput(f"--workers {workers}, --seed {seed}: expected workers >= 0 and 0 <= seed < 2^32")
    if target and data is None:
        raise specs.BadInput(f"--target {' '.join(target)}: names columns of --data, which is not given")
    if resume and out is None:
        raise specs.BadInput("--resume: needs --out, the folder of the run to continue")
    try:
        plan = runs.make_plan(
            profile=profile,
            seed=seed,
            only=only or (),
            specs=specs.read_specs(spec) if spec else (),
            arrays=stored(spec.parent / "arrays") if spec else None,
            data=userdata.read(data, target or (), seed) if data else None,
            implementation=implementation,
            device=device,
            workers=workers,
            command=command(),
        )
    except ValueError as error:
        raise specs.BadInput(str(error)) from None
    folder = out or new_folder()
    _run(plan, folder, resume)


def _run(plan: Plan, folder: Path, resume: bool) -> None:
    from depthlimit.conformance.faults import matrix
    from depthlimit.models import verify as runs

    with progress("checking") as update:
        summary = runs.run(plan, folder, resume=resume, progress=update, beside=lambda pool: matrix(plan.selected, pool.submit))
    records = [json.loads(text) for text in runs.read_lines(folder / "records.jsonl")]
    page = write_report(folder)
    print(table(summary, runs.read_lines(folder / "records.jsonl")))
    print(f"records {folder / 'records.jsonl'}\nreport  {page}")
    raise typer.Exit(runs.status(records))


def table(summary: dict[str, Any], lines: list[str]) -> str:
    """One line per claim: verdict, worst ratio measured/bound, detectable factor, examples; then slopes and counts."""
    rows = [f"{'claim':<52} {'verdict':<18} {'worst ratio':>12} {'detectable':>11} {'examples':>8}"]
    for key, row in summary["claims"].items():
        ratio = "-" if row["log10_tightness"] is None else _ratio(row["log10_tightness"], row["scale"])
        factor = "-" if row["detectable_factor"] is None else _factor(row["detectable_factor"])
        rows.append(f"{key:<52} {row['verdict']:<18} {ratio:>12} {factor:>11} {row['examples']:>8}")
    for text in lines:
        item = json.loads(text)
        if item["claim"] in ("prop3.rate", "prop2.rate") and item["lhs"] is not None:
            init = item["spec"]["init"]["kind"]
            rows.append(f"slope against L, {item['claim']}, {init}: {item['lhs']:.4f} ± {item['lhs_radius']:.4f}")
    counts = ", ".join(f"{n} {v}" for v, n in summary["counts"].items() if n)
    rows.append(f"{sum(summary['counts'].values())} judgements: {counts}")
    return "\n".join(rows)


def _ratio(log10: float, scale: str) -> str:
    if scale == "log10log10":
        return f"10^-10^{log10:.0f}"
    return f"{10**log10:.3g}" if log10 > -4 else f"10^{log10:.1f}"


def _factor(value: float) -> str:
    return f"1+{value - 1:.0e}" if value < 1.001 else f"{value:.3g}"


@app.command("list")
def list_claims(as_json: Annotated[bool, typer.Option("--json", help="one JSON list instead of lines")] = False) -> None:
    """List the claims: id, role, where it stands in the paper, what it says."""
    import depthlimit

    found = depthlimit.claims()
    if as_json:
        print(json.dumps([summary_of(c) for c in found], indent=1, ensure_ascii=False))
        return
    for claim in found:
        print(f"{claim.id:<52} {claim.role.value:<11} {claim.source}\n    {claim.meaning}")


def summary_of(claim: Claim) -> dict[str, Any]:
    """A claim as JSON."""
    return {
        "id": claim.id,
        "label": claim.label,
        "edition": claim.edition,
        "inputs": claim.inputs,
        "role": claim.role.value,
        "source": str(claim.source),
        "page": claim.source.page,
        "regimes": list(claim.regimes),
        "meaning": claim.meaning,
        "tex": claim.tex,
        "lhs": str(claim.lhs),
        "relation": claim.relation,
        "rhs": str(claim.rhs),
        "where": {str(k): str(v) for k, v in claim.where.items()},
        "hypotheses": [h.text for h in claim.hypotheses] + sorted(claim.needs),
        "premises": list(claim.premises),
        "tool": claim.tool.value,
        "expect": "holds" if claim.expect is None else f"refuted by {claim.expect}",
        "note": claim.note,
    }


@app.command()
def explain(selector: Annotated[str, typer.Argument(metavar="ID|PREFIX")]) -> None:
    """Explain a claim: as printed, as computed, with its constants, hypotheses, premises and quantities."""
    from depthlimit.models.verify import select
    from depthlimit.theory.registry import quantities

    known = quantities()
    for claim in select([selector]):
        text = summary_of(claim)
        print(f"{claim.id}\n  {claim.meaning}\n  {claim.role.value}, {claim.source}; expected: {text['expect']}")
        print(f"  as printed   {claim.tex}\n  as computed  {claim.lhs} {claim.relation} {claim.rhs}")
        for symbol, definition in claim.where.items():
            print(f"    {symbol} = {definition}")
        for title in ("hypotheses", "premises", "regimes"):
            if text[title]:
                print(f"  {title}: {'; '.join(text[title])}")
        for name in sorted(claim.symbols()):
            print(f"    {name}: {known[name].meaning}")
        if claim.note:
            print(f"  note: {claim.note}")
        print()


@app.command()
def constants(
    activation: Annotated[str | None, typer.Option(help="σ(u) = a φ(b u): the name of φ [default: tanh]")] = None,
    a: Annotated[float | None, typer.Option("--a", help="scale of σ [default: 1]")] = None,
    b: Annotated[float | None, typer.Option("--b", help="scale of the argument of σ [default: 1]")] = None,
    d: Annotated[int | None, typer.Option("--d", help="inputs [default: 2]")] = None,
    dout: Annotated[int | None, typer.Option("--dout", help="outputs [default: 2]")] = None,
    q: Annotated[int | None, typer.Option("--q", help="size of the hidden states [default: 4]")] = None,
    m: Annotated[int | None, typer.Option("--m", help="width of the branch [default: 4]")] = None,
    n: Annotated[int | None, typer.Option("--n", help="samples [default: 3]")] = None,
    depth: Annotated[int | None, typer.Option("--L", help="depth [default: 8]")] = None,
    horizon: Annotated[float | None, typer.Option("--T", help="training time [default: 1]")] = None,
    clip: Annotated[str | None, typer.Option(help="coordinate, radial or smooth [default: coordinate]")] = None,
    radius: Annotated[float | None, typer.Option(help="radius of the clip [default: 0.25]")] = None,
    init: Annotated[str | None, typer.Option(help="paper, gp or fourier [default: paper; gp for the neural ODE]")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of initialisation and data [default: 0]")] = None,
    label_scale: Annotated[float | None, typer.Option(help="factor of the labels [default: 1]")] = None,
    spec: Annotated[Path | None, typer.Option(help="JSON file with one Spec or a list, instead of the options above")] = None,
    inputs: Annotated[list[str] | None, typer.Option(help="a-priori or along-trajectory; may be repeated [default: both]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON list instead of lines")] = False,
) -> None:
    """Every constant of the claims at an instance: its definition, and its value enclosed, in logarithms where it overflows."""
    from depthlimit import listings
    from depthlimit.models import spec as specs
    from depthlimit.models.constants import table as table_of
    from depthlimit.models.data import stored
    from depthlimit.models.workers import single_threaded
    from depthlimit.theory.constants import INPUTS

    sizes = {"d": d, "dout": dout, "q": q, "m": m, "n": n, "L": depth, "T": horizon, "seed": seed, "label_scale": label_scale}
    options = {"activation": activation, "a": a, "b": b, **sizes, "clip": clip, "radius": radius, "init": init}
    given = [key for key, value in options.items() if value is not None]
    if spec is not None and given:
        raise specs.BadInput(f"--spec {spec}: stands for the whole instance; leave out --{given[0].replace('_', '-')}")
    unknown = [name for name in inputs or () if name not in INPUTS]
    if unknown:
        raise specs.BadInput(f"--inputs {unknown[0]}: accepted are {', '.join(INPUTS)}")
    chosen = specs.read_specs(spec) if spec else listings.specs_of(options)
    arrays = stored(spec.parent / "arrays") if spec else None
    with single_threaded():
        found = [table_of(one, arrays=arrays, inputs=inputs or INPUTS) for one in chosen]
    print(json.dumps(found, indent=1, ensure_ascii=False) if as_json else listings.constants_text(found))


@app.command()
def differences(as_json: Annotated[bool, typer.Option("--json", help="a JSON list instead of blocks")] = False) -> None:
    """List what the paper prints otherwise than it must read: both forms, what follows, the evidence and a command that shows it."""
    from depthlimit.listings import differences_text
    from depthlimit.theory.difference import differences as registered

    found = registered()
    print(json.dumps([one.to_json() for one in found], indent=1, ensure_ascii=False) if as_json else differences_text(found))


@app.command()
def replay(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="a Spec, a record, records.jsonl:LINE, or a name: witnesses, prop5-literal, thm6-literal and -deep"
        ),
    ],
    implementation: Annotated[str | None, typer.Option(help=_IMPLEMENTATION)] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Run a Spec or a record again; status 0 if each claim comes out as registered."""
    from depthlimit.models import verify as runs
    from depthlimit.models.check import check
    from depthlimit.models.data import stored
    from depthlimit.models.implementation import load
    from depthlimit.models.spec import BadInput
    from depthlimit.replays import replayed
    from depthlimit.theory.record import claim_id

    specs, ids, arrays = replayed(file)
    selected = runs.select(ids)
    try:
        loaded = load(implementation or chosen(device), device)
    except ValueError as error:
        raise BadInput(str(error)) from None
    records = []
    for spec in specs:
        records += check(spec, loaded, stored(arrays), selected)[0]
    wrong = {c.id for c in selected if c.expect is not None}
    for item in records:
        sides = " ".join(f"{k}={item[k]!r}" for k in ("lhs", "lhs_radius", "rhs", "rhs_radius"))
        verdict = item["verdict"] + (", as registered" if item["verdict"] == "violated" and claim_id(item) in wrong else "")
        print(f"{claim_id(item)}: {verdict} {sides} scale={item['scale']} where={item['where']} {item['reason']}".rstrip())
    raise typer.Exit(runs.status(records))


@app.command("break")
def break_(
    fault: Annotated[str | None, typer.Argument(metavar="[FAULT]", help="the planted fault to switch on [default: list them]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text")] = False,
) -> None:
    """Switch on a planted fault and show which checks notice it; status 0 if those do that must, 1 if it survives them."""
    from depthlimit import breaks

    if fault is None:
        found = [breaks.summary_of(one) for one in breaks.breakable()]
        print(json.dumps(found, indent=1, ensure_ascii=False) if as_json else breaks.faults_text())
        return
    broken = breaks.switched_on(fault)
    print(json.dumps(broken.to_json(), indent=1, ensure_ascii=False) if as_json else breaks.broken_text(broken))
    raise typer.Exit(1 if broken.survived else 0)


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a run")]) -> None:
    """Write the report of a run again from its records."""
    from depthlimit.models.spec import BadInput

    if not (folder / "records.jsonl").is_file() or not (folder / "run.json").is_file():
        raise BadInput(f"{folder}: holds no run (no records.jsonl and run.json)")
    try:
        print(write_report(folder))
    except ValueError as error:
        raise BadInput(str(error)) from None


@app.command()
def figures(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[FIGURE]...", help="fig1-left, fig1-right, fig2, limit [default: all of them]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder of runs, CSV, SVG and PDF (default: a new depthlimit-out/NNNN)")] = None,
    network: Annotated[str, typer.Option(help="paper: (3) as printed; published: what the authors' program trains")] = "paper",
    flow: Annotated[bool, typer.Option("--flow", help="the flow (4) in place of gradient descent")] = False,
    small: Annotated[bool, typer.Option("--small", help="small networks and few iterations: seconds")] = False,
    workers: Annotated[int, typer.Option(help="processes; 0 means one per core")] = 0,
) -> None:
    """Train the networks of the paper's figures and draw these; what is complete in --out is not run again."""
    from depthlimit.figures import deviations, make

    for path in make(names or [], out or new_folder(), network, flow, small, workers):
        print(path)
        if path.suffix == ".csv":
            for measure, factor in deviations(path).items():
                print(f"  {measure}: within a factor {factor:.4g} of what was published")


if __name__ == "__main__":
    main()
