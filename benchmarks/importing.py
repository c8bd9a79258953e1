"""One import in a process of its own, so that its processor time and its highest memory are its own.

``python -m benchmarks.importing CONFIG FILE`` prints them as JSON.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import time
from pathlib import Path

from benchmarks.servers import mebibytes
from comptoir.access.permissions import system_actor
from comptoir.deployment import Deployment
from comptoir.records.transfer import import_table, parse_mapping, read_table

HEADINGS = ("name", "kind", "status", "tax_number", "sector", "phone", "email", "street", "city", "country")
MAPPING = (
    *(f"{name}={name}" for name in HEADINGS[:5]),
    *("phone=phones.number", "email=emails.address", "street=addresses.street"),
    *("city=addresses.city", "country=addresses.country"),
)


def write_rows(path: Path, first: int, count: int) -> None:
    """A file of contacts that are not there yet; ``first`` numbers them."""
    from benchmarks.filling import PLACES, SECTORS, STATUSES, contact_name

    chance = random.Random(first)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADINGS)
        for number in range(first, first + count):
            kind, name = contact_name(chance, number)
            city, country, prefix = PLACES[number % len(PLACES)]
            writer.writerow(
                [
                    name, kind, chance.choice(STATUSES), f"I{number}", chance.choice(SECTORS),
                    f"{prefix} {number % 10_000_000:07d}", f"i{number}@example.com", f"Street {number % 200}", city, country,
                ]
            )  # fmt: skip


def run(config: Path, file: Path) -> dict[str, float]:
    """Import contacts by their tax number, each validated and with its history."""
    deployment = Deployment.open(config)
    declared = deployment.registry.record_type("base.contact")
    started, spent = time.perf_counter(), time.process_time()
    table = read_table(file)
    with deployment.context(system_actor("import")) as ctx:
        mapping = parse_mapping(ctx, declared, table.columns, MAPPING)
        report = import_table(ctx, declared, table, mapping, key="tax_number")
    seconds, processor = time.perf_counter() - started, time.process_time() - spent
    if report.failed or report.created != report.rows:
        raise SystemExit(f"{report}")
    peak = mebibytes("VmHWM")
    deployment.close()
    return {"seconds": seconds, "processor": processor, "peak": peak}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]))))
