"""Annual and termly absence from the school census: wide files of all years, and the two long ones.

Definitions: persistent absence is missing 10% or more, severe absence 50% or more, of one's own possible
sessions (DfE, "Pupil absence in schools in England": methodology).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import SourceError
from belonging_research.sources import geography
from belonging_research.sources.batch import Batch, Request, because, first_true, numbers, refuse_duplicates
from belonging_research.sources.figures import KEY, Measure, Reading, read_rows, refuse_impossible

_SESSIONS = (
    Measure(
        outcome="overall_absence_rate", numerator="sess_overall", denominator="sess_possible",
        rate="sess_overall_percent", part=True,
    ),
    Measure(
        outcome="authorised_absence_rate", numerator="sess_authorised", denominator="sess_possible",
        rate="sess_authorised_percent", part=True,
    ),
    Measure(
        outcome="unauthorised_absence_rate", numerator="sess_unauthorised", denominator="sess_possible",
        rate="sess_unauthorised_percent", part=True,
    ),
    Measure(outcome="possible_sessions", numerator="sess_possible"),
)  # fmt: skip
_PUPILS = (
    Measure(
        outcome="persistent_absence_rate", numerator="enrolments_pa_10_exact", denominator="enrolments",
        rate="enrolments_pa_10_exact_percent", part=True,
    ),
    Measure(
        outcome="severe_absence_rate", numerator="enrolments_pa_50_exact", denominator="enrolments",
        rate="enrolments_pa_50_exact_percent", part=True,
    ),
    Measure(outcome="enrolments", numerator="enrolments"),
)  # fmt: skip

# Possible sessions a pupil. In the files of 2006/07 to 2018/19 England has 293 to 303 in five half terms and 350
# to 356 in six; autumn and spring together are about 250, one term at most about 150.
_WHOLE_YEAR, _TWO_TERMS = 270.0, 180.0


def read_absence(batch: Batch, request: Request) -> Reading:
    """Figures of a wide absence file, whatever its release.

    Raises
    ------
    SourceError
        On any fault of :func:`read_rows`, or where a file says *Academic year* and holds one term.
    """
    measures = [m for m in (*_SESSIONS, *_PUPILS) if m.outcome != "severe_absence_rate" or _severe(batch)]
    return read_rows(batch, measures, request, family="absence", adjust=_kind)


def _severe(batch: Batch) -> bool:
    # Releases before 2020/21 have no such column; a row of reasons for each of their years would say nothing.
    return batch.has("enrolments_pa_50_exact") or batch.has("enrolments_pa_50_exact_percent")


def _kind(batch: Batch) -> Batch:
    """Correct *Academic year* where the rows are of two terms: by half terms stated, else by sessions a pupil."""
    kinds = batch.table["period_kind"].combine_chunks()
    claimed = pc.equal(kinds, "academic_year")
    if not pc.any(claimed).as_py():
        return batch
    if batch.has("half_terms"):
        stated = geography.recode(batch.table["half_terms"], geography.half_terms, pa.int64())
        two = pc.fill_null(pc.equal(stated, 4), False)
        fewer = first_true(pc.and_(claimed, pc.less(stated, 4)))
        if fewer is not None:
            raise _one_term(batch, f"{stated[fewer].as_py()} half terms")
        said = pc.all(pc.is_valid(stated)).as_py()
        kinds = pc.if_else(pc.and_(claimed, two), pa.scalar("two_terms"), kinds)
        if said:
            return _with_kinds(batch, kinds)
    ratio = _sessions_a_pupil(batch, claimed)
    if ratio is None or ratio >= _WHOLE_YEAR:
        return _with_kinds(batch, kinds)
    if ratio < _TWO_TERMS:
        raise _one_term(batch, f"{ratio:.0f} possible sessions a pupil")
    note = (
        f"{batch.file}: says Academic year and has {ratio:.0f} possible sessions a pupil; "
        "read as autumn and spring together."
    )
    changed = pc.if_else(pc.equal(kinds, "academic_year"), pa.scalar("two_terms"), kinds)
    return replace(_with_kinds(batch, changed), notes=(*batch.notes, note))


def _with_kinds(batch: Batch, kinds: pa.Array) -> Batch:
    at = batch.table.column_names.index("period_kind")
    return replace(batch, table=batch.table.set_column(at, "period_kind", kinds))


def _one_term(batch: Batch, found: str) -> SourceError:
    return SourceError(
        f"{batch.file}: column time_identifier says 'Academic year' and the rows have {found}, which is one term. "
        "Correct time_identifier to the term."
    )


def _sessions_a_pupil(batch: Batch, claimed: pa.Array) -> float | None:
    if not (batch.has("sess_possible") and batch.has("enrolments")):
        return None
    rows = pc.and_(claimed, pc.not_equal(batch.table["phase"], "special"))
    counts = batch.table.filter(rows).select(["sess_possible", "enrolments"])
    digits = pc.and_(*(pc.match_substring_regex(column, r"^\d+(\.\d+)?$") for column in counts.columns))
    sessions, pupils = (column.cast(pa.float64()) for column in counts.filter(digits).columns)
    ratio = pc.approximate_median(pc.divide(sessions, pc.if_else(pc.greater(pupils, 0), pupils, None)))
    return ratio.as_py() if ratio.is_valid else None


def _session_column(status: str, kind: str, reason: str) -> str | None:
    """The wide column of a long row, or None for a row that is a part (an illness, say) or not of use."""
    whole = {"", "total", "all"}
    if reason in ("all possible sessions", "possible sessions") or (status == "possible sessions" and reason in whole):
        return "sess_possible"
    if reason in ("overall absence", "all absence") or (
        status == "absence" and kind in {*whole, "overall absence", "all absence"} and reason in whole
    ):
        return "sess_overall"
    for name in ("authorised", "unauthorised"):
        same = {name, f"{name} absence", f"all {name}", f"all {name} absence", f"total {name}"}
        if reason in same or (kind in same and reason in whole):
            return f"sess_{name}"
    return None


def _pupil_column(kind: str) -> str | None:
    known = {
        "total pupils": "enrolments",
        "total": "enrolments",
        "all pupils": "enrolments",
        "persistent absence": "enrolments_pa_10_exact",
        "severe absence": "enrolments_pa_50_exact",
    }
    return known.get(kind)


def read_sessions_long(batch: Batch, request: Request) -> Reading:
    """Figures of the long file with a row for each status, type and reason of attendance."""
    return _read_long(
        batch,
        request,
        names=("attendance_status", "attendance_type", "attendance_reason"),
        convert=_session_column,
        values=("session_count", "session_percent"),
        measures=_SESSIONS,
    )


def read_absentees_long(batch: Batch, request: Request) -> Reading:
    """Figures of the long file with a row for all pupils, persistent and severe absentees."""
    return _read_long(
        batch,
        request,
        names=("absence_type",),
        convert=_pupil_column,
        values=("enrolment_count", "enrolment_percent"),
        measures=_PUPILS,
    )


def _read_long(
    batch: Batch,
    request: Request,
    *,
    names: tuple[str, ...],
    convert: Callable[..., str | None],
    values: tuple[str, str],
    measures: tuple[Measure, ...],
) -> Reading:
    def widen(rows: Batch) -> Batch:
        joined = rows.table[names[0]]
        for name in names[1:]:
            joined = geography.pair(joined, rows.table[name])
        column = geography.recode(joined, lambda text: convert(*text.casefold().split("\x1f")), pa.string())
        rows = replace(rows, table=rows.table.append_column("column", column))
        whole = rows.without(because(pc.is_null(column), f"{geography.NOT_USED}a part of the whole"))
        if rows.table.num_rows and not whole.table.num_rows:
            raise SourceError(
                f"{rows.file}: no row of {', '.join(names)} is a total this package knows. Expected, for "
                "instance, 'Overall absence' or 'Persistent absence'. Check that the labels were not changed."
            )
        refuse_duplicates(whole, [*KEY, "column"])
        _refuse_impossible_cells(whole, values)
        keys = [name for name in batch.table.column_names if name not in (*names, *values, "row")]
        return _kind(replace(whole, table=_widen(whole.table.drop_columns(list(names)), keys, values)))

    return read_rows(batch, measures, request, family="absence", adjust=widen)


def _refuse_impossible_cells(batch: Batch, values: tuple[str, str]) -> None:
    """Checks that must name the file's own row and column, which the widened table no longer has."""
    count, rate = (numbers(batch, name)[0] for name in values)
    refuse_impossible(batch, Measure(outcome="", rate=values[1]), count, count, rate)


def _widen(table: pa.Table, keys: list[str], values: tuple[str, str]) -> pa.Table:
    """One row a key, each long row's count and percentage in the columns of the wide file.

    ``n`` is the number of the file's rows in each, so that counts of rows stay those of the file.
    """
    identity = pc.binary_join_element_wise(*(table[name] for name in keys), "\x1f").combine_chunks()
    groups = pa.table({"id": identity, "at": pa.array(range(len(identity)), pa.int64())})
    firsts = groups.group_by("id").aggregate([("at", "min"), ("at", "count")]).sort_by("at_min")
    wide = table.take(firsts["at_min"]).drop_columns([*values, "column"])
    wide = wide.append_column("n", firsts["at_count"])
    for column in sorted(set(table["column"].to_pylist())):
        own = pc.equal(table["column"], column)
        found = pc.index_in(firsts["id"], value_set=identity.filter(own.combine_chunks()))
        for name, value in zip((column, f"{column}_percent"), values, strict=True):
            texts = table[value].filter(own).combine_chunks().take(found.combine_chunks())
            wide = wide.append_column(name, pc.fill_null(texts, "x"))
    return wide
