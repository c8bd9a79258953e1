"""The column types and the folding of texts, under the address by which migrations know them."""

from comptoir.kinds.columns import MONEY_LIMIT, MONEY_PLACES, Json, MoneyType, RecordRefType, UtcDateTime, average
from comptoir.texts import check_text, fold

__all__ = [
    "MONEY_LIMIT",
    "MONEY_PLACES",
    "Json",
    "MoneyType",
    "RecordRefType",
    "UtcDateTime",
    "average",
    "check_text",
    "fold",
]
