"""``python -m benchmarks [ONLY] [--engine E] [--contacts N] [--json FILE] [--check]``."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks import servers
from benchmarks.filling import fill
from benchmarks.measures import MEASURES, ONCE, Stand
from benchmarks.results import Result, as_json, table
from comptoir.testing.postgres import PostgresUnavailable, fresh_database

ENGINES = ("sqlite", "postgresql")


def main() -> int:
    """Run the benchmarks, print the table; 1 where ``--check`` finds a broken ratio."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end too
    chosen = [name.strip() for name in (options.only or ",".join(MEASURES)).split(",") if name.strip()]
    unknown = [name for name in chosen if name not in MEASURES]
    if unknown:
        print(f"There is no measure {', '.join(unknown)}. Known: {', '.join(MEASURES)}.", file=sys.stderr)
        return 2
    started, results = time.monotonic(), list[Result]()
    done: set[str] = set()
    for engine in options.engine.split(","):
        wanted = [name for name in MEASURES if name in chosen and not (name in ONCE and name in done)]
        try:
            results += _on_engine(engine, options.contacts, wanted)
        except PostgresUnavailable as missing:
            print(f"postgresql is left out: {missing}", file=sys.stderr)
        done.update(wanted)
    seconds = time.monotonic() - started
    print(table(results))
    print(
        f"\n{options.contacts:,} contacts and deals; {seconds:.0f} s; times are medians in milliseconds, CPU is the server's"
        f" processor time per request.\nLoad of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors;"
        " on a shared machine only ratios mean something."
    )
    if options.json:
        about = {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "contacts": options.contacts, "seconds": seconds,
            "python": platform.python_version(), "machine": platform.machine(), "load": os.getloadavg(),
        }  # fmt: skip
        options.json.write_text(json.dumps(as_json(results, about), indent=1, ensure_ascii=False) + "\n")
    broken = [result for result in results if result.is_broken and result.is_checked]
    if options.check and broken:
        for result in broken:
            print(f"Broken: {result.what} on {result.engine}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What Comptoir costs above a bare server."
    )
    parser.add_argument("only", nargs="?", metavar="ONLY", help=f"some of {', '.join(MEASURES)}, separated by commas")
    parser.add_argument("--engine", default=",".join(ENGINES), help="sqlite, postgresql or both (the default)")
    parser.add_argument("--contacts", type=int, default=100_000, metavar="N", help="so many contacts and deals")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--check", action="store_true", help="exit 1 when a promised ratio is broken")
    return parser.parse_args()


def _on_engine(engine: str, contacts: int, wanted: list[str]) -> Iterator[Result]:
    """The results on one engine, as they come."""
    if not wanted:
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="comptoir-bench-")))
        url = f"sqlite:///{folder}/comptoir.db" if engine == "sqlite" else stack.enter_context(fresh_database())
        _say(f"{engine}: filling {contacts:,} contacts and deals")
        filled = fill(folder, url, contacts)
        mine, theirs = servers.free_port(), servers.free_port()
        stand = Stand(
            engine,
            filled,
            folder,
            stack.enter_context(servers.started(servers.comptoir(filled.config, mine), mine, folder / "comptoir.log")),
            stack.enter_context(
                servers.started(
                    servers.floor(theirs), theirs, folder / "floor.log", environment={"FLOOR_DATABASE_URL": url}
                )
            ),
        )
        for name in wanted:
            began = time.monotonic()
            yield from MEASURES[name](stand)
            _say(f"{engine}: {name}, {time.monotonic() - began:.0f} s")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
