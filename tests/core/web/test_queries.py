"""How many statements a page costs: a few, and as many for eighty records as for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from comptoir.base.models import Contact
from comptoir.records.summaries import keep_summaries
from comptoir.records.write import save
from comptoir.testing.platform import Stage

pytestmark = pytest.mark.modules("catalog", "sales")
FIRST_PAINT, WHOLE = 8, 18
"""What a record page may cost before it is seen, and with all that loads after it; the transaction's BEGIN is not counted."""
PAGES = {
    "/base/contacts?page[size]=80": 6,
    "/base/contacts/filters": 8,
    "/sales/deals?page[size]=80": 8,
    "/sales/deals?page[size]=80&group=stage": 9,
    "/sales/deals/board": 14,  # one a lane
    "/base/contacts/2": 6,
    "/base/contacts/2?whole=1": 16,
    "/search?q=shop": 4,
    "/base/contacts/2/edit": 6,
    "/sales/deals/1": 4,
    "/sales/deals/1?whole=1": 7,
    "/sales/deals/1/edit": 4,
    "/": 12,  # seven of them ask for the sums that the writer keeps, instead of counting deals
}


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements of whatever runs meanwhile, on every connection, the guarded ones too."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SET ", "SAVEPOINT", "RELEASE")):
            found.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def fill(stage: Stage, number: int) -> None:
    """That many contacts of a colleague, each with a deal and a task of their own; sums are kept as the worker keeps them."""
    from comptoir.base.models import Task
    from comptoir_catalog.models import Product
    from comptoir_sales.models import Deal

    with stage.system() as ctx:
        colleague = stage.user("Bram de Vries").id
        product = Product(name="Cold room", code=f"C{number}")
        save(ctx, [product])
        parent = Contact(name="Holding", kind="company", owner_id=colleague)
        save(ctx, [parent])
        contacts = [
            Contact(name=f"Shop {place}", kind="company", parent_id=parent.id, owner_id=colleague)
            for place in range(number)
        ]
        save(ctx, contacts)
        save(
            ctx,
            [
                Deal(
                    name=f"Deal {c.id}", contact_id=c.id, product_id=product.id, amount=Decimal(10), currency="EUR",
                    owner_id=colleague,
                )
                for c in contacts
            ],
        )  # fmt: skip
        save(ctx, [Task(title=f"Call {c.name}", contact_id=c.id) for c in contacts])
        first = contacts[0]
        save(ctx, [Deal(name=f"More {place}", contact_id=first.id, amount=Decimal(5)) for place in range(number)])
        keep_summaries(ctx)


def test_pages_cost_as_many_statements_for_eighty_records_as_for_one(administrator: Any, stage: Stage) -> None:
    costs: dict[str, list[int]] = {page: [] for page in PAGES}
    for number in (1, 80):
        fill(stage, number)
        for page, found in costs.items():
            assert administrator.get(page).status_code == 200, page
            with counted() as statements:
                administrator.get(page)
            found.append(len(statements))
    # one more title looked up, or one group more, is no growth with the rows
    grown = {page: found for page, found in costs.items() if found[1] > found[0] + 2}
    dear = {page: found for page, found in costs.items() if found[1] > PAGES[page]}
    assert grown == {}
    assert dear == {}


def test_what_comes_after_the_first_paint_is_the_page_that_was_asked_for_whole(
    administrator: Any, make_contact: Callable[..., Any]
) -> None:
    contact = make_contact("Mega Fruct SRL", kind="company")
    page = f"/base/contacts/{contact.id}"
    assert "Open deals" not in administrator.get(page).text
    assert "created it" in administrator.get(f"{page}?whole=1").text
    rest = administrator.get(f"{page}/rest", headers={"HX-Request": "true"})
    assert "created it" in rest.text
    assert 'hx-swap-oob="true"' in rest.text


def test_every_record_page_keeps_its_promise(administrator: Any, stage: Stage) -> None:
    fill(stage, 3)
    costs: dict[str, int] = {}
    for declared in stage.deployment.registry.record_types.values():
        with stage.system() as ctx:
            record_id = ctx.session.scalar(select(func.min(declared.model.id)))
        page = f"{declared.url}/{record_id}"
        for address in (page, f"{page}?whole=1") if record_id is not None else ():
            if administrator.get(address).status_code == 200:
                with counted() as statements:
                    administrator.get(address)
                costs[address] = len(statements)
    assert len(costs) > 10
    assert {page: cost for page, cost in costs.items() if cost > (WHOLE if "whole" in page else FIRST_PAINT)} == {}
