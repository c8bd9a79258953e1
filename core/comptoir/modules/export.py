"""All the data of one module as a file: a ZIP of JSON lines by table, with counts and digests."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
from pathlib import Path

import orjson
from sqlalchemy import Connection, inspect, select

from comptoir.db.base import Base
from comptoir.errors import Unavailable
from comptoir.i18n import _
from comptoir.records.history import as_json
from comptoir.registry.registry import Registry


def export_module(connection: Connection, registry: Registry, name: str, target: Path, now: dt.datetime) -> Path:
    """Write every row of the module's tables; the file appears under its name only when it is complete."""
    plugin = registry.plugins[name]
    unfinished = target.with_suffix(".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            contents = {}
            for table_name in plugin.tables:
                if not inspect(connection).has_table(table_name):
                    continue
                table = Base.metadata.tables[table_name]
                digest, count = hashlib.sha256(), 0
                with archive.open(f"{table_name}.jsonl", "w") as entry:
                    rows = connection.execute(select(table).order_by(*table.primary_key.columns))
                    for row in rows.mappings():
                        line = orjson.dumps({key: as_json(value) for key, value in row.items()}, default=str) + b"\n"
                        entry.write(line)
                        digest.update(line)
                        count += 1
                contents[table_name] = {"rows": count, "sha256": digest.hexdigest()}
            described = {
                "module": name,
                "version": plugin.available.version,
                "exported_at": now.isoformat(),
                "tables": contents,
            }
            archive.writestr("module.json", json.dumps(described, indent=2))
        unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise Unavailable(
            _(
                "The export cannot be written to {path}: {reason}. Nothing was changed.",
                path=target,
                reason=error.strerror,
            )
        ) from None
    return target
