"""What a run reads and derives once for all its notebooks: each has a kernel of its own, and the files are large.

A batch names a folder of its own in the environment of its kernels and removes it at its end. Without one, as in
JupyterLab, everything is made anew.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import pickle
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from belonging_research.plan import Plan

ONCE = "BELONGING_ONCE_A_RUN"

_Result = TypeVar("_Result")


def once_a_run(what: str, of: Sequence[str], make: Callable[[], _Result], *, folder: Path | None = None) -> _Result:
    """What ``make`` gives, made by the first of a run's notebooks that asks; made anew where nothing is kept.

    ``of`` names all that the result depends on besides the code. ``folder``: where it is kept, by default the one that
    the environment names, which a run empties before it begins. What cannot be kept or read back is made again.
    """
    kept = folder or (Path(os.environ[ONCE]) if os.environ.get(ONCE) else None)
    if kept is None:
        return make()
    path = kept / f"{what}-{hashlib.sha256(json.dumps(list(of)).encode()).hexdigest()[:16]}.pickle"
    # Whatever goes wrong with a kept file, a full disk, a cut file, a file that is held, costs time alone.
    with contextlib.suppress(Exception):
        found: _Result = pickle.loads(path.read_bytes())
        return found
    made = make()
    with contextlib.suppress(Exception):
        _keep(path, pickle.dumps(made, protocol=pickle.HIGHEST_PROTOCOL))
    return made


def _keep(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def what_is_read(folders: Sequence[Path], plan: Plan, report_year: str, data_as_at: dt.date | None) -> tuple[str, ...]:
    """What an extract depends on: folders, which do not change while a run lasts, the plan, and how far is read."""
    return (*map(str, folders), plan.digest, report_year, str(data_as_at or ""))
