"""Where tests find the real and reference files; absent folders skip with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread a process, as in a run: many small systems are solved, and two threads only wait for one another.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_name, "1")

REPOSITORY = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("BELONGING_REAL_DATA", REPOSITORY.parent / "shared" / "data" / "real"))
REFERENCE = Path(os.environ.get("BELONGING_REFERENCE_DATA", REPOSITORY.parent / "shared" / "data" / "reference"))


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real Department for Education files."""
    if not REAL.is_dir():
        pytest.skip(f"real files not found at {REAL}; set BELONGING_REAL_DATA")
    return REAL


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of published examples."""
    if not REFERENCE.is_dir():
        pytest.skip(f"reference data not found at {REFERENCE}; set BELONGING_REFERENCE_DATA")
    return REFERENCE
