"""Rights: every address walked as people who may not."""

from __future__ import annotations

from collections.abc import Iterator

from comptoir.contributions import Action, MenuItem
from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.running import Running
from comptoir.testing.conformance.samples import PROBE
from comptoir.testing.conformance.world import Address

REFUSED = (401, 403, 404)
ASK = "let the address state its permission; check it in the service with ctx.require"


def _closed(running: Running) -> list[Address]:
    return [address for address in running.world.addresses if not address.public]


def _refused(address: Address, status: int) -> bool:
    """Whether an answer is a refusal; of several records at once the API names each that cannot be touched."""
    return status in REFUSED or (status == 422 and address.of_api and address.path.endswith("/bulk"))


def _walk_as_stranger(running: Running, *, of_api: bool) -> Iterator[Finding]:
    for address in _closed(running):
        if address.of_api is of_api:
            answer = running.world.try_out(running.world.stranger, address)
            if not _refused(address, answer.status_code) and answer.get_json(silent=True) != []:
                yield Finding(f"it answers {answer.status_code} to whoever has no right", str(address), ASK)


@check("rights.pages", needs="deployment")
def pages(running: Running) -> Iterator[Finding]:
    """Every page refuses whoever has no right."""
    yield from _walk_as_stranger(running, of_api=False)


@check("rights.api", needs="deployment")
def api(running: Running) -> Iterator[Finding]:
    """Every address of the API refuses whoever has no right."""
    yield from _walk_as_stranger(running, of_api=True)


@check("rights.nothing_shown", needs="deployment")
def nothing_shown(running: Running) -> Iterator[Finding]:
    """A refusal shows nothing of the records."""
    for address in _closed(running):
        if address.is_safe and PROBE in running.world.try_out(running.world.stranger, address).text:
            yield Finding("the refusal shows what stands in a record", str(address), ASK)


@check("rights.sign_in", needs="deployment")
def sign_in(running: Running) -> Iterator[Finding]:
    """Whoever is not signed in is sent to sign in, and the API answers 401."""
    for address in _closed(running):
        answer = running.world.try_out(running.world.anybody, address)
        sent = answer.status_code in (302, 303) and "/login" in answer.headers.get("Location", "")
        refused = answer.status_code in ((401,) if address.of_api else (401, 403))
        if not sent and not refused:
            yield Finding(f"it answers {answer.status_code} to whoever is not signed in", str(address), ASK)


@check("rights.forged_forms", needs="deployment")
def forged_forms(running: Running) -> Iterator[Finding]:
    """A change that another site's page sends is refused, whoever is signed in."""
    for address in running.world.addresses:
        if not address.is_safe:
            answer = running.world.try_out(running.world.administrator, address, forged=True)
            if answer.status_code not in (400, 403):
                yield Finding(f"it answers {answer.status_code} without the token of the form", str(address), "change nothing in a GET, and nothing past the platform's forms")  # fmt: skip


@check("rights.changes", needs="deployment")
def changes(running: Running) -> Iterator[Finding]:
    """Whoever may only look can change nothing, by page or by API."""
    for address in _closed(running):
        if address.is_safe or address.permission in running.world.rights_to_read or "/compose/" in address.path:
            continue
        if "/actions/" in address.path and not address.path.endswith("/archive"):
            continue
        before = running.world.state_of(address)
        status = running.world.try_out(running.world.reader, address).status_code
        if not _refused(address, status) and (before is None or running.world.state_of(address) != before):
            yield Finding(f"it answers {status} to whoever may only look", str(address), ASK)


@check("rights.actions", needs="deployment")
def actions(running: Running) -> Iterator[Finding]:
    """Every action is refused, by its button and by the API, to whoever lacks its permission."""
    own = [a for p, a in running.registry.contributions(Action) if p.name == running.name]
    if not own:
        raise NotApplicable("it has no actions")
    world = running.world
    for action in own:
        declared = world.registry.record_type(action.on)
        if action.permission in world.rights_to_read or declared.name not in world.made:
            continue
        number = world.id_of(declared.name)
        for path in (
            f"{declared.url}/{number}/actions/{action.name}",
            f"{declared.api_path}/{number}/actions/{action.name}",
        ):
            answer = world.reader.send("POST", path)
            if answer.status_code not in REFUSED:
                yield Finding(f"it answers {answer.status_code} without {action.permission}", f"POST {path}", ASK)


@check("rights.moves", needs="deployment")
def moves(running: Running) -> Iterator[Finding]:
    """Every transition is refused to whoever lacks its permission, and to whoever may only look."""
    world = running.world
    types = [d for n, d in world.types.items() if d.declaration.workflow is not None and n in world.made]
    if not types:
        raise NotApplicable("its records have no stages")
    for declared in types:
        workflow, number = declared.declaration.workflow, world.id_of(declared.name)
        assert workflow is not None
        writer = world.visitor({**world.rights_to_read, declared.permission("write"): "all"})
        with world.deployment.system_context("conformance", write=False) as ctx:
            transitions = list(workflow.moves_from(ctx, ctx.session.get_one(declared.model, number)))
        for transition in transitions:
            path = f"{declared.api_path}/{number}/actions/{transition.name}"
            asked = [(world.reader, "the right to edit")]
            asked += [(writer, transition.permission)] if transition.permission is not None else []
            for visitor, lacking in asked:
                status = visitor.send("POST", path).status_code
                patched = visitor.send(
                    "PATCH", f"{declared.api_path}/{number}", json={workflow.field: transition.target}
                )
                if status not in (*REFUSED, 422) or patched.status_code not in (*REFUSED, 422):
                    yield Finding(f"it goes through without {lacking}", f"{declared.name}: {transition.name}", "give the transition its permission; move records with move(…)")  # fmt: skip


@check("rights.elsewhere", needs="deployment")
def elsewhere(running: Running) -> Iterator[Finding]:
    """Whoever sees contacts alone meets nothing of the plugin on other pages: no record, menu entry, report or tile."""
    if running.code.source.is_base:
        raise NotApplicable("everyone meets base")
    world = running.world
    contact = world.id_of("base.contact")
    paths = (
        "/",
        "/reports",
        f"/base/contacts/{contact}?whole=1",
        f"/search?q={PROBE}",
        f"/api/v1/base/contacts/{contact}",
    )
    allowed = {"base.contact.read"}
    signs = [item.path for p, item in world.registry.contributions(MenuItem) if p.name == running.name and item.permission not in allowed]  # fmt: skip
    signs += [f"{PROBE}=&#34;{name}", *world.report_names] if (name := f"{running.name}.") else []
    for path in paths:
        text = world.colleague.get(path).text.replace("&quot;", "&#34;").replace('\\"', "&#34;")
        for sign in signs:
            if sign in text:
                yield Finding(f"it shows {sign} to whoever sees contacts alone", path, "state the permission of what is shown; read with ctx.session")  # fmt: skip


@check("rights.public_pages", needs="deployment")
def public_pages(running: Running) -> Iterator[Finding]:
    """Pages for everybody show nothing of the records."""
    public = [a for a in running.world.addresses if a.public]
    if not public:
        raise NotApplicable("it has no public pages")
    for address in public:
        if address.is_safe and PROBE in running.world.anybody.get(address.path).text:
            yield Finding("it shows what stands in a record to everybody", str(address), "show only what was made to be public")  # fmt: skip
