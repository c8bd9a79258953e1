"""Scheduled work and the outbox: a clock that only enqueues, a queue in the application's database, workers that drain it."""
