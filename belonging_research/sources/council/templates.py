"""Excel forms, with lists to choose from, for what councils keep in emails: interventions, destinations, survey."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from belonging_research.errors import SourceError
from belonging_research.tables import Column
from belonging_research.tables.council import COUNCIL_TABLES, DESTINATION_KINDS, TIMING_DECIDED
from belonging_research.tables.council_headings import CHOICES

if TYPE_CHECKING:
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.worksheet import Worksheet

TEMPLATES = ("interventions", "destinations", "survey")
_ROWS = 5000  # rows of a form that have the drop-downs
_MEANINGS = {"kind": DESTINATION_KINDS, "timing": TIMING_DECIDED}


def write_templates(folder: Path) -> list[Path]:
    """Write an empty form for each of :data:`TEMPLATES`; the paths. Headings are those that `receive` knows.

    Raises
    ------
    SourceError
        If a form of that name is there already: it may be filled in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{table}.xlsx" for table in TEMPLATES]
    for path in paths:
        if path.exists():
            raise SourceError(f"{path}: is there already and may be filled in. Move it away, or name another folder.")
    for table, path in zip(TEMPLATES, paths, strict=True):
        _write_template(table, path)
    return paths


def _write_template(table: str, path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    form = book.worksheets[0]
    form.title = table
    notes, lists = book.create_sheet("what to write"), book.create_sheet("lists")
    notes.append(["column", "needed", "what it is"])
    form.freeze_panes = "A2"
    for at, column in enumerate(COUNCIL_TABLES[table].columns, start=1):
        heading = "UPN" if column.name == "pupil" else column.name
        form.cell(row=1, column=at, value=heading).font = Font(bold=True)
        letter = get_column_letter(at)
        form.column_dimensions[letter].width = max(14, len(heading) + 4)
        note = "unique pupil number: becomes a keyed hash when received" if column.name == "pupil" else column.note
        notes.append([heading, "if known" if column.nullable else "yes", note])
        choice = _validation(table, column, lists)
        if choice is not None:
            choice.add(f"{letter}2:{letter}{_ROWS + 1}")
            form.add_data_validation(choice)
        if pa.types.is_date(column.type):
            for row in range(2, 202):
                form.cell(row=row, column=at).number_format = "dd/mm/yyyy"
    book.save(path)


def _validation(table: str, column: Column, lists: Worksheet) -> DataValidation | None:
    """The rule of a column's cells: a list to choose from, a date, a whole number or a number; None for text."""
    from openpyxl.worksheet.datavalidation import DataValidation

    name = column.name
    if choices := CHOICES.get((table, name)):
        lists.append([name])
        first = lists.max_row + 1
        for choice in choices:
            lists.append([choice, _MEANINGS.get(name, {}).get(choice, "")])
        rule = DataValidation(type="list", formula1=f"lists!$A${first}:$A${lists.max_row}", allow_blank=column.nullable)
        advice = "Choose from the list; the sheet 'lists' says what each means."
    elif pa.types.is_date(column.type):
        rule = DataValidation(type="date", operator="greaterThan", formula1="36526", allow_blank=column.nullable)
        advice = "A date, such as 02/09/2024."
    elif pa.types.is_integer(column.type):
        rule = DataValidation(type="whole", operator="greaterThanOrEqual", formula1="0", allow_blank=column.nullable)
        advice = "A whole number."
    elif pa.types.is_floating(column.type):
        rule = DataValidation(type="decimal", operator="greaterThanOrEqual", formula1="0", allow_blank=column.nullable)
        advice = "A number, 0 or more; leave it empty where it is not known."
    else:
        return None
    rule.showErrorMessage, rule.error, rule.errorTitle = True, advice, name
    return rule
