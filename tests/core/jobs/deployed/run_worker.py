"""A worker process: run_worker.py URL LEASE_SECONDS."""

from __future__ import annotations

import signal
import sys
import threading

from jobs_deployment import open_shop

from comptoir.jobs.worker import Worker

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_signal: stop.set())
Worker(open_shop(sys.argv[1]), lease_seconds=float(sys.argv[2])).run(stop)
