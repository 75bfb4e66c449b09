"""Does every pinned version have a wheel for Windows, macOS and Linux on Python 3.11 to 3.13?

A dry run of pip for each platform: nothing is downloaded but file lists and metadata. pip judges environment
markers by the Python it runs on, so the pins are filtered here by the markers of the platform asked about.
Prints one line a platform and Python; exit code 1 where a wheel is missing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import Requirement

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
# Python and Java archives, alike on every platform, with nothing to compile; only who asks for Spark gets it.
NO_WHEELS = {"pyspark"}
PYTHONS = ("3.11", "3.12", "3.13")
# macOS 14 is the oldest that Apple still mends; glibc 2.28 is Debian 10, RHEL 8 and later.
PLATFORMS = {
    "Windows": (("win_amd64",), {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"}),
    "macOS": (
        ("macosx_14_0_arm64",),
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    ),
    "Linux": (
        ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"),
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    ),
}


def pins(text: str, python: str, system: dict[str, str]) -> list[str]:
    """The ``name==version`` lines of constraints that hold on a platform and Python."""
    where = {
        **system,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    wanted = [Requirement(line) for line in lines if line]
    return [f"{r.name}{r.specifier}" for r in wanted if r.marker is None or r.marker.evaluate(where)]


def dry_run(requirements: list[str], python: str, tags: tuple[str, ...]) -> str:
    """What pip complains about for this platform; empty where it is content."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text("\n".join(requirements), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet", "--no-input"]
        command += [
            "--only-binary=:all:",
            "--target",
            str(Path(folder) / "target"),
            "--python-version",
            python,
        ]
        command += [part for tag in tags for part in ("--platform", tag)]
        done = subprocess.run([*command, "-r", str(wanted)], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def line(name: str, python: str) -> tuple[bool, str]:
    """Whether a platform and Python have all wheels, and a line that says so."""
    tags, system = PLATFORMS[name]
    began, every = time.monotonic(), pins(CONSTRAINTS.read_text(encoding="utf-8"), python, system)
    wanted = [pin for pin in every if pin.split("==")[0] not in NO_WHEELS]
    complaint = dry_run(wanted, python, tags)
    found = complaint or f"all have wheels ({time.monotonic() - began:.0f} s)"
    return not complaint, f"{name:8}{python:6}{len(wanted)} pins: {found}"


def main() -> int:
    """Try each platform and Python, two at a time; 0 where all have wheels, else 1."""
    combinations = [(name, python) for name in PLATFORMS for python in PYTHONS]
    complete = True
    with ThreadPoolExecutor(2) as pool:
        for content, text in pool.map(line, *zip(*combinations, strict=True)):
            print(text, flush=True)
            complete = complete and content
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
