"""What Comptoir costs above a bare server on the same database: ``python -m benchmarks``; see docs/admin/performance.md."""
