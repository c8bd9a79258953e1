"""Privacy: what is about people is declared, and what is confidential stays so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from comptoir.contributions import Permission
from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.running import Running
from comptoir.testing.conformance.samples import CONFIDENTIAL

PERSONAL = ("email", "phone")
"""How values look that always lead to a person."""
PEOPLE = re.compile(
    r"(^|_)(first_name|last_name|full_name|surname|maiden_name|person|birth(day|_date|_place)?|born_on|iban|passport|"
    r"id_card|ssn|salutation|gender|nationality|street|private_address)($|_)"
)
"""What fields about people are called."""


@check("privacy.declared", needs="code")
def declared(code: Code) -> Iterator[Finding]:
    """Fields about people are marked as personal: an export or erasure of somebody's data finds them."""
    for model, field in code.fields():
        about_people = field.kind.look in PERSONAL or (PEOPLE.search(field.name) and field.target is None)
        if about_people and not field.personal:
            yield Finding(f"{field.name} is about people and not marked", f"{model.__name__}.{field.name}", "give personal=True")  # fmt: skip


@check("privacy.rights_of_fields", needs="code")
def rights_of_fields(code: Code) -> Iterator[Finding]:
    """Who may not read a field may not write it either."""
    for model, field in code.fields():
        if field.read is not None and field.write is None:
            yield Finding(f"{field.name} is hidden from some, who may write it", f"{model.__name__}.{field.name}", "give write= too")  # fmt: skip


@check("privacy.hidden_in_api", needs="deployment")
def hidden_in_api(running: Running) -> Iterator[Finding]:
    """Confidential fields are neither described nor answered by the API for whoever lacks their right."""
    found = _confidential(running)
    with running.reader() as reader:
        document = reader.get("/api/v1/openapi.json").get_json()
        for record_type, field in found:
            declared = running.registry.record_types[record_type]
            described = document["paths"].get(declared.api_path, {})
            if f'"{field}"' in str(described).replace("'", '"'):
                yield Finding(f"the API describes {field} to whoever lacks its right", f"{record_type}.{field}", "report it: the platform should hide it")  # fmt: skip
            answer = reader.get(f"{declared.api_path}/{running.sample(record_type)}").get_json()
            if answer is not None and field in answer:
                yield Finding(f"the API answers {field} to whoever lacks its right", f"{record_type}.{field}", "do not put it into what the API answers")  # fmt: skip


@check("privacy.hidden_on_pages", needs="deployment")
def hidden_on_pages(running: Running) -> Iterator[Finding]:
    """Confidential values stand on no page of whoever lacks their right."""
    found = _confidential(running)
    with running.reader() as reader:
        for record_type, field in found:
            declared = running.registry.record_types[record_type]
            signs = (f"{record_type}.{field}", str(CONFIDENTIAL)) if running.value(record_type, field) else ()
            for path in (
                declared.url,
                f"{declared.url}/{running.sample(record_type)}?whole=1",
                f"{declared.url}/export",
            ):
                text = reader.get(path).text
                if any(re.search(rf"\b{re.escape(sign)}\b", text) for sign in signs):
                    yield Finding(f"the page shows {field} to whoever lacks its right", path, "ask ctx.may(…) before it is shown")  # fmt: skip


def _confidential(running: Running) -> list[tuple[str, str]]:
    found = [
        (name, field)
        for name in running.own_types
        for field, declared in running.registry.record_types[name].fields.items()
        if declared.read is not None
    ]
    if not found:
        raise NotApplicable("it has no confidential fields")
    return found


@check("privacy.known_rights", needs="code")
def known_rights(code: Code) -> Iterator[Finding]:
    """Every right that it asks for or grants exists."""
    known = set(code.registry.permissions)
    for value in code.plugin.contributions:
        if isinstance(value, type):
            continue
        asked = {getattr(value, "permission", None), *getattr(value, "permissions", {})} - {None}
        for right in sorted(asked - known):
            yield Finding(f"there is no permission {right}", str(getattr(value, "name", "") or getattr(value, "path", "")), f"contribute {Permission.__name__}({right!r}, …)")  # fmt: skip
    for model, field in code.fields():
        for right in sorted({field.read, field.write} - {None} - known):  # type: ignore[type-var]
            yield Finding(f"there is no permission {right}", f"{model.__name__}.{field.name}", "contribute it")
