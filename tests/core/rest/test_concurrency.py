"""Two people at once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any


def together(*calls: Callable[[], Any]) -> list[Any]:
    """The answers of calls that start at the same moment in threads of their own."""
    barrier = Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        barrier.wait()
        answers[place] = calls[place]()

    threads = [Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_two_changes_to_one_version_one_wins(api: Any) -> None:
    made = api.post("/shop/orders", {"number": "A-1"})
    path, headers = f"/shop/orders/{made.json['id']}", {"If-Match": made.headers["ETag"]}
    answers = together(
        lambda: api.patch(path, {"amount": "1"}, headers=headers),
        lambda: api.patch(path, {"amount": "2"}, headers=headers),
        lambda: api.patch(path, {"amount": "3", "version": 1}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
    winner = next(answer for answer in answers if answer.status_code == 200)
    now = api.get(path).json
    assert (now["version"], now["amount"]) == (2, winner.json["amount"])


def test_changes_without_a_version_wait_for_each_other(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    path = f"/shop/orders/{made['id']}"
    answers = together(
        lambda: api.patch(path, {"amount": "1"}),
        lambda: api.patch(path, {"channel": "web"}),
        lambda: api.patch(path, {"reason": "x"}),
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    now = api.get(path).json
    assert (now["version"], now["amount"], now["channel"], now["reason"]) == (4, "1.00", "web", "x")


def test_a_key_that_arrives_twice_at_once_does_its_work_once(api: Any) -> None:
    headers = {"Idempotency-Key": "k-1"}
    answers = together(*[lambda: api.post("/shop/orders", {"number": "A-1"}, headers=headers)] * 3)
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.data for answer in answers}) == 1
    assert api.get("/shop/orders").json["meta"]["total"] == 1
