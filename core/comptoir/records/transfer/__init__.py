"""Files in and out: reading tables, importing them row by row, exporting what a filter finds."""

from comptoir.records.transfer.exporting import export_records
from comptoir.records.transfer.importing import import_table
from comptoir.records.transfer.mapping import Mapping, parse_mapping
from comptoir.records.transfer.reading import Table, read_table
from comptoir.records.transfer.report import ImportReport, Problem
from comptoir.records.transfer.runs import begin_import, run_import
from comptoir.records.transfer.undo import undo_import

__all__ = [
    "ImportReport",
    "Mapping",
    "Problem",
    "Table",
    "begin_import",
    "export_records",
    "import_table",
    "parse_mapping",
    "read_table",
    "run_import",
    "undo_import",
]
