"""The command line: argv in, exit code out. No statistics, nothing heavy imported before it is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from belonging_research.errors import BelongingError, PlanError, SourceError
from belonging_research.saying import account, arrival, bug, promises, refusal
from belonging_research.shipped import NOTEBOOKS, find_plan

if TYPE_CHECKING:
    import datetime as dt

    from belonging_research.plan import Plan
    from belonging_research.sources.council import Consignment

DEFAULT_PLAN = "simulated_county"
BUG, STOPPED = 70, 130
PACKAGE = Path(__file__).resolve().parent
# One thread a process: the last digits of a sum depend on how many threads share it.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

EXIT_CODES = """\b
Exit codes
  0  done                          6  a design that gives no honest number
  1  stopped, see the message      7  no verdict can be reached
  2  wrong command line            8  something may not leave the house
  3  the plan                      9  notebooks, pages, output folder
  4  a file of the data           70  a bug in this package
  5  the figures lack what        130 stopped with Ctrl-C
     the plan needs
"""

EXAMPLES = """\b
Examples
  belonging run
      a made-up country with a known effect, to a page you can open
  belonging run --plan dorset_public --data data/published --report-year 2024/25
      Dorset beside the rest of England, on the Department's files
  belonging validate data/published --plan dorset_public --report-year 2024/25
      only read the files: what was used, what was left out and why
  belonging receive marks.csv pupils.xlsx --council dorset --date 2026-09-01 --key KEY
      a council's own files to a checked extract without names
  belonging doctor
      why it does not work on this laptop
"""

RECEIVING = """\b
Step by step
  1 belonging key new PATH        once, outside the project; keep it safe and apart
  2 belonging receive FILE... --council dorset --date 2026-09-01 --key PATH
                                  writes a proposed mapping.toml, shows it and stops
  3 read the mapping, mend it     which column is what, which value means what
  4 the same command again        writes data/restricted/dorset/2026-09-01
  Faults of the files either stop it, or rows are left out and counted, or kept and
  listed: what happens to which fault stands in the plan under [faults].
"""


def shipped_notebooks() -> tuple[str, ...]:
    """Names of the notebooks, in order."""
    return tuple(sorted(each.stem for each in NOTEBOOKS.glob("*.ipynb")))


def one_thread() -> None:
    """Keep numerical libraries to one thread, here and in kernels, unless the user said otherwise."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")


def show_progress(what: str, done: int, total: int) -> None:
    """A plain line of progress on stderr: readable in a log and aloud."""
    place = f"[{done}/{total}] " if total else ""
    click.echo(f"{place}{what}", err=True)


def report_year(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """An option's academic year in its usual form; refuses what is none."""
    if value is None:
        return None
    from belonging_research.tables import academic_year

    try:
        return academic_year(value)
    except BelongingError:
        raise click.BadParameter(f"{value!r} is not an academic year; write it like 2024/25.") from None


def day(context: click.Context, parameter: click.Parameter, value: dt.datetime | None) -> dt.date | None:
    """An option's date without a time."""
    return None if value is None else value.date()


def show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the installed version and stop."""
    if not value:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(version("belonging-research"))
    except PackageNotFoundError:
        click.echo("not installed: running from a folder")
    context.exit()


PLAN_HELP = "A plan file, or the name of a shipped one."
plan_option = click.option("--plan", "plan_name", metavar="PLAN", help=PLAN_HELP)
year_option = click.option(
    "--report-year",
    callback=report_year,
    metavar="YEAR",
    help="Academic year, such as 2024/25; nothing later is read.",
)
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("outputs"),
    metavar="DIR",
    show_default=True,
    help="Where results go.",
)

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=min(2, os.cpu_count() or 1),
    show_default=True,
    help="Processes side by side. Changes no number.",
)


@click.group(epilog=f"{EXAMPLES}\n\n{EXIT_CODES}", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=show_version, help="Show it.")
def cli() -> None:
    """Did a council's belonging interventions shift attendance, suspensions and permanent exclusions?

    Each verb has its own --help. Where the program cannot be started as `belonging`, write
    `python -m belonging_research` instead.
    """


@cli.command(epilog=EXIT_CODES)
@plan_option
@click.option(
    "--data",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A folder of files; may be given again. Files are known by what their header says.",
)
@year_option
@click.option(
    "--data-as-at",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=day,
    metavar="DATE",
    help="Read nothing published after this day (2025-11-30).",
)
@click.option("--only", metavar="NOTEBOOK", help="One notebook, such as 04_attendance_impact.")
@out_option
@jobs_option
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--force", is_flag=True, help="Do everything again, though the same run is already there.")
def run(plan_name: str | None, data: tuple[Path, ...], dry_run: bool, **options: Any) -> None:
    """From figures to a page: the main job.

    Without arguments it makes up a country and a council's own tables with a known effect and reports on that,
    marked SIMULATED. For real figures name a plan and a folder. The same plan and figures give the same folder
    and the same bytes; a run that was stopped goes on where it was.
    """
    one_thread()
    plan, path = chosen_plan(plan_name, data)
    if dry_run and not data:
        click.echo("\n".join(simulated_dry_run(plan, path, options["out"])))
        return
    from belonging_research.reports import run_study

    if not data:
        show_progress("making up figures with a known effect", 0, 0)
        data = simulated_folders(plan)
    result = run_study(plan, plan_path=path, data=data, dry_run=dry_run, progress=show_progress, **options)
    for line in result.lines:
        click.echo(line)
    if not dry_run:
        click.echo(f"Open {result.index}")


def chosen_plan(name: str | None, data: Sequence[Path]) -> tuple[Plan, Path]:
    """The plan to follow and its file, after refusing a plan and data that do not go together.

    Raises
    ------
    PlanError
        If data come without a plan, or a plan for real data without data.
    """
    if data and name is None:
        raise PlanError(f"{data[0]}: figures without a plan. Name one that says what to compare: --plan dorset_public.")
    path = find_plan(name or DEFAULT_PLAN)
    plan = sound_plan(path)
    if not data and not plan.simulated:
        raise PlanError(
            f"{path.name} is a plan for real figures and no folder is given. Add --data DIR with published\n"
            "files (data/README.md says which), or leave --plan out for a simulated study."
        )
    return plan, path


def sound_plan(path: Path) -> Plan:
    """The plan of a file, after refusing outcomes and checks that this package does not have.

    Raises
    ------
    PlanError
        If the plan is at fault, or names an outcome or a check that is not built; key and nearest name are said.
    """
    import difflib

    from belonging_research.plan import read_plan

    plan = read_plan(path)
    # Heavy, so only for a plan that can be read.
    from belonging_research.checks import CHECKS
    from belonging_research.outcomes import MEASURES

    named = [(f"outcomes.{n}.name", each.name, list(MEASURES)) for n, each in enumerate(plan.outcomes)]
    named += [(f"checks.{n}", each, list(CHECKS)) for n, each in enumerate(plan.checks)]
    named += [(f"negative_controls.{n}", each, list(MEASURES)) for n, each in enumerate(plan.negative_controls)]
    if plan.schools is not None:
        from belonging_research.checks.schools import SCHOOL_CHECKS
        from belonging_research.panel.schools import ABSENCE, EVENTS

        own, built = plan.schools, [ABSENCE, *EVENTS]
        named += [(f"schools.outcomes.{n}.name", each.name, built) for n, each in enumerate(own.outcomes)]
        named += [(f"schools.checks.{n}", each, list(SCHOOL_CHECKS)) for n, each in enumerate(own.checks)]
    for key, name, known in named:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise PlanError(f"{path.name}: {key}: {name} is not known.{hint} There are: {', '.join(known)}.")
    return plan


def simulated_dry_run(plan: Plan, path: Path, out: Path) -> list[str]:
    """What a simulated run would do, in lines; nothing is written, so no figures are made up either."""
    return [
        f"plan       {path.name}, digest {plan.digest[:12]}",
        "figures    would be made up first, in data/simulated",
        f"notebooks  {', '.join(shipped_notebooks()) or 'none'}",
        f"results    would go to {out / plan.study}",
        "Dry run: nothing was written.",
    ]


def simulated_folders(plan: Plan) -> tuple[Path, ...]:
    """Make up the plan's published figures, and its council's own tables where it has a school layer.

    Raises
    ------
    PlanError
        If the plan is for real figures.
    SourceError
        If they cannot be written.
    """
    if not plan.simulated:
        raise PlanError(f"plan {plan.study} is for real figures; only a simulated one can be made up.")
    from belonging_research.simulate import simulated_data

    try:
        public: Path = simulated_data(plan)
        if plan.schools is None:
            return (public,)
        from belonging_research.simulate import simulated_county

        return public, simulated_county()
    except OSError as error:
        raise SourceError(
            f"{error.filename or 'data/simulated'}: cannot be written ({error.strerror}). Made-up figures go to "
            "data/simulated; free that place, or start in a folder that you may write to."
        ) from None


@cli.command(epilog=EXIT_CODES)
@click.option("--plan", "plan_name", default=DEFAULT_PLAN, show_default=True, metavar="PLAN", help="A simulated plan.")
def simulate(plan_name: str) -> None:
    """Make up public files with a known effect.

    They have the Department's layouts; the truth lies beside them.
    """
    one_thread()
    for folder in simulated_folders(sound_plan(find_plan(plan_name))):
        click.echo(f"Written to {folder}")


@cli.command(epilog=EXIT_CODES)
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plan", "plan_name", required=True, metavar="PLAN", help=PLAN_HELP)
@year_option
def validate(data: tuple[Path, ...], plan_name: str, report_year: str | None) -> None:
    """Read files as a run would, and account for each.

    DATA are folders. Shown are rows used, rows left out and why, and files that are not read. With --report-year, also
    whether the figures have every year that the plan's tests of that year need.
    """
    one_thread()
    from belonging_research.panel import refuse_missing_series
    from belonging_research.sources import load_extract

    plan = sound_plan(find_plan(plan_name))
    if report_year is not None:
        plan.refuse_other_year(report_year)
    extract = load_extract(data, plan, through=report_year or plan.post[-1])
    click.echo("\n".join(account(extract)))
    if report_year is not None:
        refuse_missing_series(extract, plan)


@cli.command(epilog=f"{RECEIVING}\n\n{EXIT_CODES}")
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--council", metavar="NAME", help="Short name of the council, such as dorset: the folder's name.")
@click.option(
    "--date",
    "as_at",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=day,
    metavar="DATE",
    help="The day as at which the files were drawn (2026-09-01). Later days in them are faults.",
)
@click.option("--key", type=click.Path(path_type=Path), metavar="PATH", help="The secret key, of `belonging key new`.")
@click.option(
    "--mapping",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Which column is what. By default mapping.toml beside the council's extracts.",
)
@plan_option
@click.option("--agreement", default="not stated", metavar="TEXT", help="The agreement under which the data came.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where extracts go: data/restricted of the project, unless given.",
)
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Only write empty Excel forms for interventions, destinations and survey.",
)
@click.pass_context
def receive(context: click.Context, /, files: tuple[Path, ...], templates: Path | None, **options: Any) -> None:
    """A council's own files to a checked extract.

    FILEs are csv, Excel (.xlsx) or Parquet: schools, pupils, enrolments, marks, exclusions, destinations,
    interventions, survey, the Department's weekly file. Names are never read, births become months, pupil numbers
    keyed hashes.
    """
    from belonging_research.sources.council import propose_mapping, write_templates
    from belonging_research.sources.council import receive as receive_files

    if templates is not None:
        click.echo("\n".join(f"Written {path}" for path in write_templates(templates)))
    if templates is not None and not files:
        return
    plan_name = options.pop("plan_name")
    policies = sound_plan(find_plan(plan_name)).faults if plan_name else {}
    consignment = asked_consignment(files, **options)
    proposed = propose_mapping(consignment)
    if proposed is not None:
        click.echo(proposed.read_text(encoding="utf-8"))
        click.echo(f"No mapping yet, so one was proposed: {proposed}. Look at it, mend it, then run again.", err=True)
        context.exit(1)
    click.echo("\n".join(arrival(receive_files(consignment, policies=policies, progress=show_progress))))


def asked_consignment(
    files: tuple[Path, ...],
    *,
    council: str | None,
    as_at: dt.date | None,
    key: Path | None,
    out: Path | None,
    **rest: Any,
) -> Consignment:
    """What is to be received, after refusing a command that leaves something out."""
    from belonging_research.simulate.folder import project_root
    from belonging_research.sources.council import Consignment

    needed = {"FILE": files, "--council": council, "--date": as_at, "--key": key}
    missing = [name for name, value in needed.items() if not value]
    if not files or council is None or as_at is None or key is None:
        raise click.UsageError(f"Missing {', '.join(missing)}. See `belonging receive --help`.")
    out = out or project_root() / "data" / "restricted"
    return Consignment(files=files, council=council, day=as_at, key=key, out=out, **rest)


@cli.group()
def key() -> None:
    """Make the secret key by which pupil numbers become hashes."""


@key.command("new", epilog=EXIT_CODES)
@click.argument("path", type=click.Path(path_type=Path))
def new_key(path: Path) -> None:
    """Make a new key at PATH, outside the project.

    Only its owner may read it. Keep it apart from the data and do not lose it: with another key, the same pupil gets
    another hash, and years can no longer be joined.
    """
    from belonging_research.sources.council import write_new_key

    write_new_key(path)
    click.echo(f"Written {path}. Keep it apart from the data; without it, pupils cannot be matched again.")


@cli.group()
def plan() -> None:
    """Check an analysis plan: design before data."""


@plan.command(epilog=EXIT_CODES)
@click.argument("file", metavar="FILE")
def check(file: str) -> None:
    """Check a plan, and say in short what it promises."""
    click.echo("\n".join(promises(sound_plan(find_plan(file)))))


@cli.command(epilog=EXIT_CODES)
@click.option("--plan", "plan_name", default=DEFAULT_PLAN, show_default=True, metavar="PLAN", help=PLAN_HELP)
@click.option(
    "--data",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Published files, to put every real council in the treated one's place; without, only made-up worlds.",
)
@click.option(
    "--worlds",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="Countries, or counties, a world.",
)
@click.option("--effect-worlds", type=click.IntRange(1, 100_000), help="The same, where something was done.")
@click.option(
    "--only",
    multiple=True,
    metavar="PART",
    help="A part (a, b, c), a layer (county, school) or a world; may be given again.",
)
@out_option
@jobs_option
def calibrate(plan_name: str, data: tuple[Path, ...], **options: Any) -> None:
    """How often the whole pipeline is right, where the truth is known.

    Made-up worlds that must not fool it, of countries and, where the plan has a school layer, of schools (a), every
    real council in the treated one's place (b), and gains planted there (c). Takes long; stopped, it goes on where it
    was.
    """
    one_thread()
    plan = sound_plan(find_plan(plan_name))
    from belonging_research.reports.calibration import run_calibration

    result = run_calibration(plan, data=data, progress=show_progress, **options)
    wrong = max((row.false_verdicts or 0.0 for row in result.rows if row.group == "all"), default=0.0)
    click.echo(f"{plan.study}, calibration {result.calibration_id}: {len(result.rows)} rows")
    click.echo(f"false verdicts in the worst row: {100 * wrong:.1f} in 100")
    click.echo(f"Open {result.index}")


@cli.command()
@out_option
@click.pass_context
def doctor(context: click.Context, out: Path) -> None:
    """Why it does not work on this laptop.

    Looks at Python, packages, proxy, path length, synced folders, the notebook kernel and more.
    Exit code 1 where something stops the project, else 0.
    """
    from belonging_research.doctor import examine, exit_code, report

    symptoms = examine(out)
    click.echo(report(symptoms))
    context.exit(exit_code(symptoms))


def answer(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; every error is told on stderr."""
    try:
        code = cli.main(args=arguments, prog_name="belonging", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; the next run goes on from here", err=True)
        return STOPPED
    except BelongingError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except Exception as error:
        told = refusal(error) if isinstance(error, OSError) else None
        click.echo(f"error: {told}" if told else bug(error), err=True)
        return told.exit_code if told else BUG
    return code if isinstance(code, int) else 0


def main() -> NoReturn:
    """Entry point of `belonging` and of `python -m belonging_research`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console may not know every sign
            stream.reconfigure(errors="replace")
    sys.exit(answer())


if __name__ == "__main__":
    main()
