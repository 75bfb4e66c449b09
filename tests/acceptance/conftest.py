"""A copy of the project to run from, and the command line of that copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import REPOSITORY

from acceptance.running import CommandLine


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Package and notebooks in a folder of their own, so that nothing changes between two runs of a test."""
    folder = tmp_path_factory.mktemp("checkout")
    leave = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in ("belonging_research", "notebooks"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=leave)
    return folder


@pytest.fixture(scope="session")
def belonging(checkout: Path) -> CommandLine:
    """The command line of the copy."""
    return CommandLine(checkout=checkout)
