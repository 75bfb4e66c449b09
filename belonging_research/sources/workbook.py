"""Excel workbooks, told apart by their content from other zip archives."""

from __future__ import annotations

import warnings
import zipfile
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from belonging_research.errors import SourceError

_PARTS = frozenset({"xl/workbook.xml", "[Content_Types].xml"})


class Book:
    """The first sheet of a workbook, closed after use: its title, when it was made, its rows; others are counted."""

    def __init__(self, path: Path) -> None:
        import openpyxl

        self._file = path.open("rb")  # openpyxl would judge a name by its ending
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles, never about cells
                self._book = openpyxl.load_workbook(self._file, read_only=True, data_only=True)
            self._sheet = self._book.worksheets[0]
        except BaseException:
            self._file.close()
            raise
        self.title = self._sheet.title
        self.created: datetime | None = self._book.properties.created
        self.sheets_unread = len(self._book.worksheets) - 1

    def head(self, rows: int | None) -> list[list[str]]:
        """The first ``rows`` rows as text, all of them where None."""
        return [[_cell(v) for v in row] for row in self._sheet.iter_rows(max_row=rows, values_only=True)]

    def merged(self) -> dict[str, tuple[int, int, int, int]]:
        """Merged cells by their name (``A1:C1``): first column and row, last column and row, 1 the first.

        Read from the sheet itself, since a book opened for its rows alone does not know them.
        """
        from openpyxl.worksheet.cell_range import CellRange

        path: str = getattr(self._sheet, "_worksheet_path")  # noqa: B009
        found = []
        with zipfile.ZipFile(self._file) as archive, archive.open(path) as sheet:
            for _, element in ElementTree.iterparse(sheet):
                if element.tag.endswith("}mergeCell"):
                    found.append(element.get("ref", ""))
                elif element.tag.endswith("}row"):
                    element.clear()  # a large sheet is never held whole
        return {area: CellRange(area).bounds for area in found}

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()
        self._file.close()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def is_workbook(path: Path) -> bool:
    """Whether a zip archive holds the parts of a workbook; a damaged one is taken at its name's word."""
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) >= _PARTS
    except zipfile.BadZipFile:
        return path.suffix.lower() in (".xlsx", ".xlsm")


def open_book(path: Path) -> Book:
    """A workbook, to be closed.

    Raises
    ------
    SourceError
        If it is damaged, or no workbook.
    """
    try:
        return Book(path)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, IndexError, TypeError):
        raise SourceError(
            f"{path.name}: not an Excel workbook, or damaged. Open it and save it as .xlsx, or as csv UTF-8."
        ) from None
