"""A council's own files to a checked extract without names (:func:`receive`), and back (:func:`read_council_extract`).

What arrives is csv, Excel or Parquet under whatever headings; a mapping that a person has read says which is what.
Pupil numbers leave as keyed hashes, births as months, names not at all.
"""

from __future__ import annotations

from belonging_research.sources.council.account import ReceivedTable
from belonging_research.sources.council.accounted import source_files
from belonging_research.sources.council.extract import CouncilExtract, is_council_extract, read_council_extract
from belonging_research.sources.council.keys import write_new_key
from belonging_research.sources.council.receiving import Consignment, Received, propose_mapping, receive
from belonging_research.sources.council.templates import write_templates

__all__ = [
    "Consignment",
    "CouncilExtract",
    "Received",
    "ReceivedTable",
    "is_council_extract",
    "propose_mapping",
    "read_council_extract",
    "receive",
    "source_files",
    "write_new_key",
    "write_templates",
]
