"""Starting the command line, and what a run left behind."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from acceptance.judging import read_results

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """``python -m belonging_research`` of one copy of the project, in a folder of the test's choosing."""

    checkout: Path

    def __call__(self, *arguments: object, cwd: Path, timeout: float = 900) -> Done:
        """Run to the end, with the output captured."""
        return subprocess.run(
            self._command(arguments), cwd=cwd, env=self._environment(), capture_output=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, check=False, timeout=timeout,
        )  # fmt: skip

    def start(self, *arguments: object, cwd: Path) -> subprocess.Popen[str]:
        """Start in a process group of its own, which a test may stop as a whole."""
        return subprocess.Popen(
            self._command(arguments), cwd=cwd, env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
            preexec_fn=_hear_interrupts if os.name != "nt" else None,
        )  # fmt: skip

    def _command(self, arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-m", "belonging_research", *map(str, arguments)]

    def _environment(self) -> Mapping[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("BELONGING_", "PYTEST_"))}
        mine["PYTHONDONTWRITEBYTECODE"] = "1"  # a place is compared file by file before and after
        return {**mine, "PYTHONPATH": str(self.checkout), "PYTHONUTF8": "1"}


@dataclass(frozen=True, kw_only=True)
class InThisProcess:
    """The same command line without a process of its own: its words and its code, many times faster.

    For what is refused before anything runs. A process would besides show how it starts and ends, which the others do.
    """

    def __call__(self, *arguments: object, cwd: Path) -> Done:
        """Run to the end, with the output captured."""
        from belonging_research import __main__ as command_line

        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = command_line.answer([str(each) for each in arguments])
        return subprocess.CompletedProcess(list(map(str, arguments)), code, out.getvalue(), err.getvalue())


def _hear_interrupts() -> None:
    """Ctrl-C as at a terminal: a shell's background jobs, and so their tests, are started deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that ended: what it said, and the one run folder under its output folder."""

    done: Done
    out: Path

    @cached_property
    def folder(self) -> Path:
        """The folder of the run, named by its id."""
        assert self.done.returncode == 0, self.done.stderr
        (folder,) = runs_under(self.out)
        return folder

    @property
    def released(self) -> Path:
        """What may leave."""
        return self.folder / "released"

    @cached_property
    def results(self) -> dict[str, Any]:
        """``results.json``, read strictly."""
        return read_results(self.released / "results.json")

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The rows of ``results.json``."""
        found: list[dict[str, Any]] = self.results["findings"]
        return found

    def finding(self, outcome: str, source: str, *, method: str, phase: str = "all") -> dict[str, Any]:
        """The one row of an outcome, source, method and phase."""
        (row,) = (
            each
            for each in self.findings
            if (each["outcome"], each["source"], each["method"], each["phase"]) == (outcome, source, method, phase)
        )
        return row


def runs_under(out: Path) -> list[Path]:
    """Folders that a reader would take for a run: of any study, not hidden, not the tables of the newest."""
    found = [each for study in out.iterdir() if study.is_dir() for each in study.iterdir() if each.is_dir()]
    return sorted(each for each in found if not each.name.startswith(".") and each.name != "latest")


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by name, with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def differing(one: Path, other: Path) -> list[str]:
    """Names of files that are not the same in two folders; empty where every byte is."""
    first, second = files_of(one), files_of(other)
    assert first
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
