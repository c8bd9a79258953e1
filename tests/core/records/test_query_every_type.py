"""Every readable field of every first-party record type can be shown, filtered, sorted and grouped, on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir.db.fields import NUMERIC, TEXTUAL, Kind
from comptoir.records.query import Query, aggregate, operators_of, parse, run, to_pairs

SAMPLES = {
    Kind.INTEGER: "3",
    Kind.REFERENCE: "1",
    Kind.DECIMAL: "1.5",
    Kind.MONEY: "1.5",
    Kind.PERCENT: "50",
    Kind.BOOLEAN: "true",
    Kind.DATE: "2026-11-22",
    Kind.MOMENT: "2026-11-22T10:00:00+02:00",
    **dict.fromkeys(TEXTUAL, "Ș_x"),
}


def sample(ctx: Any, declared: Any, field: Any, operator: str) -> str:
    if operator == "is_null":
        return "true"
    if operator == "within":
        return "this_quarter"
    if field.kind is Kind.CHOICE and field.choices:
        return str(field.choices[0].value)
    if field.kind is Kind.STAGE and declared.declaration.workflow is not None:
        return next((stage.name for stage in declared.declaration.workflow.stages(ctx)), "")
    return SAMPLES.get(field.kind, "x")


@pytest.mark.slow
@pytest.mark.modules("catalog", "sales")
def test_every_field_can_be_asked_for(stage: Any) -> None:
    reader = stage.user("Reader", administrator=True)
    with stage.acting(reader) as ctx:
        for declared in ctx.registry.record_types.values():
            run(ctx, declared, Query(text="ana 0721"))
            for name, field in declared.fields.items():
                path = name.removesuffix(field.name) + field.path
                for operator in operators_of(field):
                    value = sample(ctx, declared, field, operator)
                    if value:
                        query = parse(ctx, declared, [(f"filter[{path}][{operator}]", value)])
                        run(ctx, declared, query)
                        assert parse(ctx, declared, to_pairs(query)) == query
                if field.kind is Kind.LINES:
                    run(ctx, declared, Query(fields=(name,)))
                    continue
                if field.sortable and field.kind is not Kind.LONG_TEXT:
                    run(ctx, declared, Query(sort=(f"-{path}",), size=1))
                    group = f"{path}:week" if field.kind is Kind.MOMENT else path
                    measure = f"{path}:avg" if field.kind in NUMERIC else f"{path}:count_distinct"
                    aggregate(ctx, declared, None, (group,), ("count", measure))
