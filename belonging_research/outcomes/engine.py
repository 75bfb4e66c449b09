"""A council's tables as expressions, and the one place where a query engine is chosen."""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import duckdb
import ibis
from ibis.expr.types import Table

from belonging_research.errors import CommandError
from belonging_research.sources.council import CouncilExtract
from belonging_research.tables.council import COUNCIL_TABLES

SPARK_MASTER = "BELONGING_SPARK_MASTER"
_MEMORY = "2GB"
# Days are days everywhere; overflow and division by zero are errors, not nulls; and no log lines between results.
_SETTINGS = {
    "spark.log.level": "ERROR",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
}
# Inside one machine: nothing listens to the network, and a shuffle is cut for a few cores.
_LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
}


def open_engine(master: str = "", *, spill: Path | None = None) -> Any:
    """DuckDB inside this process, or Apache Spark where a ``master`` address is given: an Ibis connection.

    ``master``: ``"local[2]"`` for two threads of this machine, ``"spark://host:7077"`` for a cluster, whose machines
    must all see the extract under the same path. ``spill`` is the folder for rows that do not fit in memory, as well
    guarded as they are; DuckDB takes at most 2 GB before it uses it, a cluster has folders of its own.

    Raises
    ------
    CommandError
        If Spark was asked for and is not installed, finds no Java, or does not start.
    """
    if master:
        return ibis.pyspark.connect(_spark_session(master, spill))
    place = {} if spill is None else {"temp_directory": str(spill)}
    engine = ibis.duckdb.connect(memory_limit=_MEMORY, **place)
    # Its bar is drawn straight to the terminal, between a run's own lines. In a notebook's kernel it needs a package of
    # its own even to be turned off, and without that there is none.
    with contextlib.suppress(duckdb.InvalidInputException):
        engine.con.execute("SET enable_progress_bar = false")
    return engine


def open_chosen_engine(*, spill: Path | None = None) -> Any:
    """The engine of the environment variable ``BELONGING_SPARK_MASTER``, DuckDB where it is not set.

    The variable decides where counting is done and nothing else: every number and every name of a file is the same.
    """
    return open_engine(os.environ.get(SPARK_MASTER, "").strip(), spill=spill)


def council_tables(extract: CouncilExtract, engine: Any) -> dict[str, Table]:
    """Every table of an extract as an expression of ``engine``; one that the council did not send is empty."""
    found = {}
    for name, spec in COUNCIL_TABLES.items():
        # One file at a time: Spark's reader takes no list here.
        parts = [engine.read_parquet(str(file)) for file in extract.tables.get(name, ())]
        found[name] = ibis.union(*parts) if len(parts) > 1 else parts[0] if parts else ibis.memtable(
            spec.schema.empty_table()
        )  # fmt: skip
    return found


def _spark_session(master: str, spill: Path | None) -> Any:
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise CommandError(
            f"Spark was asked for (master {master}) and PySpark is not installed. In the checkout's environment: "
            f'python -m pip install -c constraints.txt -e ".[spark]". Without {SPARK_MASTER} DuckDB does the same.'
        ) from None
    _refuse_without_java(master)
    # Of pandas 3, at every call; results are compared with DuckDB's by tests/test_spark.py.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
    settings = dict(_SETTINGS)
    if master.startswith("local"):
        settings |= _LOCAL | ({} if spill is None else {"spark.local.dir": str(spill)})
    try:
        return SparkSession.builder.appName("belonging_research").master(master).config(map=settings).getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        raise CommandError(
            f"Spark did not start at master {master} ({type(error).__name__}). The address is local[N] or "
            f"spark://HOST:7077, and Java must be 17 or newer. Without {SPARK_MASTER} DuckDB does the same."
        ) from None


def _refuse_without_java(master: str) -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=str(Path(home) / "bin") if home else None) is None:
        raise CommandError(
            f"Spark was asked for (master {master}) and there is no Java"
            + (" where JAVA_HOME says. " if home else ". ")
            + "Install a Java runtime, 17 or newer (Debian and Ubuntu: apt install openjdk-17-jre-headless), or set "
            f"JAVA_HOME to one. Without {SPARK_MASTER} DuckDB does the same."
        )
