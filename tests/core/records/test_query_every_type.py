"""Every readable field of every first-party record type can be shown, filtered, sorted and grouped, on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir.records.query import Query, aggregate, parse, run, to_pairs

SAMPLES = {
    "integer": "3",
    "duration": "90",
    "reference": "1",
    "any_record": "base.contact/1",
    "decimal": "1.5",
    "money": "1.5",
    "percent": "50",
    "boolean": "true",
    "date": "2026-11-22",
    "moment": "2026-11-22T10:00:00+02:00",
}


def sample(ctx: Any, declared: Any, field: Any, operator: str) -> str:
    if operator == "is_null":
        return "true"
    if operator == "within":
        return "this_quarter"
    listed = declared.choices(ctx, field)
    if listed is not None:
        return next((str(choice.value) for choice in listed), "")
    return SAMPLES.get(field.kind.name, "Ș_x" if field.kind.textual else "x")


@pytest.mark.slow
@pytest.mark.modules("catalog", "sales")
def test_every_field_can_be_asked_for(stage: Any) -> None:
    reader = stage.user("Reader", administrator=True)
    with stage.acting(reader) as ctx:
        for declared in ctx.registry.record_types.values():
            run(ctx, declared, Query(text="ana 0721"))
            for name, field in declared.fields.items():
                path = name.removesuffix(field.name) + field.path
                for operator in field.operators:
                    value = sample(ctx, declared, field, operator)
                    if value:
                        query = parse(ctx, declared, [(f"filter[{path}][{operator}]", value)])
                        run(ctx, declared, query)
                        assert parse(ctx, declared, to_pairs(query)) == query
                if field.kind.lined or field.computed is not None:
                    run(ctx, declared, Query(fields=(name,)))
                    continue
                if field.sorts:
                    run(ctx, declared, Query(sort=(f"-{path}",), size=1))
                    group = f"{path}:week" if field.kind.zoned else path
                    measure = f"{path}:avg" if field.kind.numeric else f"{path}:count_distinct"
                    aggregate(ctx, declared, None, (group,), ("count", measure))
