"""Notebooks to executed notebooks: papermill in processes of their own, one isolated kernel each."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from belonging_research import errors
from belonging_research.errors import ReportError
from belonging_research.reports.notebook_format import nbformat
from belonging_research.reports.parameters import Value, read_notebook
from belonging_research.reports.writing import sha256_of, write_atomically
from belonging_research.sources.once import ONCE

KERNEL = "python3"
KERNEL_STARTS = 4
# The recipe under which two runs gave the same bytes: fixed hashing, zone, locale, threads and backend.
ENVIRONMENT: Mapping[str, str] = {
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
# Texts of these cannot quote a cell of a data file.
_HARMLESS = frozenset(
    {"NameError", "ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError"}
    | {name for name, kind in vars(errors).items() if isinstance(kind, type)}
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"Cell In\[\d+\], line (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One notebook to run: where it is, where its executed form and ledger go, what it is given.

    ``quote_errors`` is whether the text of any error may be shown (public figures only); ``once`` the folder for what
    the run's notebooks make once for all (:mod:`sources.once`), None for nothing.
    """

    name: str
    source: Path
    executed: Path
    ledger: Path
    parameters: Mapping[str, Value]
    quote_errors: bool
    once: Path | None = None

    @property
    def marker(self) -> Path:
        """The file that says the notebook is done, for the next run to resume from."""
        return self.executed.with_suffix(".done.json")


def run_notebooks(waves: Sequence[Sequence[Job]], workers: int, finished: Callable[[str], None]) -> None:
    """Run notebooks wave by wave, those of a wave side by side; those already done in this folder are kept.

    ``finished`` is called with each name as it ends. After a failure no further notebook starts.

    Raises
    ------
    ReportError
        If a cell fails (notebook, cell number, line) or a kernel dies; of several the first by name.
    """
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    widest = max((len(wave) for wave in waves), default=1)
    wanted, hold = context.Pipe(duplex=False)
    with (
        hold,
        ProcessPoolExecutor(
            max_workers=max(1, min(workers, widest)),
            mp_context=context,
            initializer=_end_with_parent,
            initargs=(wanted,),
        ) as pool,
    ):
        for wave in waves:
            waiting = [job for job in wave if not is_done(job)]
            for job in wave:
                if job not in waiting:
                    finished(job.name)
            try:
                with _deaf_to_interrupts():
                    futures = {pool.submit(_execute, job): job for job in waiting}
                failures = _collect(futures, finished)
            except BaseException:
                hold.close()
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in set(multiprocessing.active_children()) - others:
                    worker.kill()  # one that is still starting does not watch ``hold`` yet
                raise
            if failures:
                raise ReportError(failures[min(failures)])


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started in here do not hear Ctrl-C, which a terminal sends to all: only the run answers it.

    One that comes meanwhile is held back and answered at the end, where the system can (not on Windows).
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent(wanted: Connection) -> None:
    """End this process when the run is stopped or killed: an orphan would write into the folder of the next run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        watch = threading.Thread(target=_exit_after, args=(parent.sentinel, wanted), daemon=True)
        watch.start()


def _exit_after(sentinel: int, wanted: Connection) -> None:
    multiprocessing.connection.wait([sentinel, wanted])
    os._exit(1)


def _collect(futures: Mapping[Future[str | None], Job], finished: Callable[[str], None]) -> dict[str, str]:
    failures: dict[str, str] = {}
    pending = set(futures)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            if future.cancelled():
                continue
            job = futures[future]
            try:
                failure = future.result()
            except BrokenProcessPool:
                failure = f"notebook {job.name}: its process was stopped (out of memory?). Run again."
            if failure is None:
                finished(job.name)
            else:
                failures[job.name] = failure
        if failures:
            for future in pending:
                future.cancel()
    return failures


def is_done(job: Job) -> bool:
    """Whether this notebook was already executed here, and its files are those that were written then."""
    try:
        marker = json.loads(job.marker.read_text(encoding="utf-8"))
        return bool(marker == _fingerprint(job))
    except (OSError, ValueError):
        return False


def _fingerprint(job: Job) -> dict[str, str]:
    return {
        "executed": sha256_of(job.executed.read_bytes()),
        "ledger": sha256_of(job.ledger.read_bytes()),
        "parameters": sha256_of(json.dumps(dict(job.parameters), sort_keys=True)),
    }


def _in_a_fresh_kernel(job: Job, scratch: str) -> Any:
    """The executed notebook. A kernel that dies before it answers is started again, ``KERNEL_STARTS`` times at most.

    Kernels choose their ports before they bind them, so two that start at once can want the same one; nothing of
    the notebook has run by then.
    """
    import papermill

    for start in range(1, KERNEL_STARTS + 1):
        try:
            return papermill.execute_notebook(
                str(job.source),
                None,
                parameters=dict(job.parameters),
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                start_timeout=180,
                cwd=scratch,
            )
        except RuntimeError as error:
            if start == KERNEL_STARTS or "before replying" not in str(error):
                raise
    return None


def _execute(job: Job) -> str | None:
    """Run one notebook in this process's kernel; the message of its failure, or None."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    with tempfile.TemporaryDirectory(prefix="belonging-", ignore_cleanup_errors=True) as scratch:
        os.environ.update(_environment(Path(scratch), job))
        try:
            executed = _in_a_fresh_kernel(job, scratch)
        except papermill.PapermillExecutionError as error:
            return _failure(job, error)
        except DeadKernelError:
            return f"notebook {job.name}: its kernel died (out of memory?). Run again with fewer --jobs."
        except Exception as error:
            return f"notebook {job.name}: the kernel could not run it ({type(error).__name__}). Try `belonging doctor`."
    return _settle(job, executed)


def _settle(job: Job, executed: Any) -> str | None:
    """Write the executed notebook and its marker; the message where it has no ledger, or None."""
    if not job.ledger.is_file():
        return (
            f"notebook {job.name}: it wrote no ledger, so nothing of it can be released. Open its door with "
            "open_door(plan, through=ledger)."
        )
    text: str = nbformat.writes(settled(executed))
    write_atomically(job.executed, text.rstrip("\n") + "\n")
    write_atomically(job.marker, json.dumps(_fingerprint(job), sort_keys=True))
    return None


def _environment(scratch: Path, job: Job) -> dict[str, str]:
    """What a kernel is started with: this interpreter, this package, no configuration of the user's."""
    spec = scratch / "jupyter" / "kernels" / KERNEL
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    # CRITICAL: a kernel otherwise warns that it talks to its own machine unencrypted, and of its own end.
    argv += ["--log-level=CRITICAL", "--HistoryManager.enabled=False"]
    content = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(content), encoding="utf-8")
    package = str(Path(__file__).resolve().parents[2])
    found = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **ENVIRONMENT,
        ONCE: str(job.once or ""),
        "PYTHONPATH": os.pathsep.join(found),
        "JUPYTER_PATH": str(scratch / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "IPYTHONDIR": str(scratch / "ipython"),
    }


def settled(notebook: Any) -> Any:
    """An executed notebook without times, random ids and interpreter versions (a new one)."""
    clean = nbformat.from_dict(json.loads(json.dumps(notebook)))
    clean.metadata.pop("papermill", None)
    clean.metadata.get("language_info", {}).pop("version", None)
    for number, cell in enumerate(clean.cells, start=1):
        cell.id = f"cell-{number}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if len(data) > 1:
                data.pop("text/plain", None)
    return clean


def _failure(job: Job, error: Any) -> str:
    cells = [str(cell.source) for cell in read_notebook(job.source).cells]
    source = str(error.source)
    number = cells.index(source) + 1 if source in cells else int(error.cell_index)
    lines = source.splitlines() or [""]
    found = _FRAME.findall(_COLOUR.sub("", "\n".join(error.traceback)))
    line = int(found[0]) if found and int(found[0]) <= len(lines) else 1
    kind = str(error.ename)
    quotable = job.quote_errors or kind in _HARMLESS
    said = f": {error.evalue}" if quotable else " (its text may quote data; see JupyterLab)"
    return (
        f"notebook {job.name}, cell {number}, line {line}: {kind}{said}\n"
        f"  {lines[line - 1].strip()}\n"
        "Nothing was released. Correct it, or open the notebook in JupyterLab and run it to this cell."
    )
