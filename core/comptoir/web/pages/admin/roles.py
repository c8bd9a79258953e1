"""Roles as an administrator sees them: each permission with its scope."""

from __future__ import annotations

from flask import Blueprint, Response, request

from comptoir.access.models import Role
from comptoir.access.permissions import ADMINISTER
from comptoir.access.roles import (
    ADMINISTRATOR,
    create_role,
    delete_role,
    edit_role,
    list_roles,
    members_of,
    permissions_of,
    set_permission,
)
from comptoir.context import unrestricted
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.registry.registry import Registry
from comptoir.web.frame import page, redirect_with, settings_side
from comptoir.web.models.admin import AdminTable, PermissionGroup, PermissionRow, RoleEditor
from comptoir.web.models.input import FieldInput, FormError, Option
from comptoir.web.models.shell import Action, Module, Toast
from comptoir.web.models.table import Column, Row, Table
from comptoir.web.session import Visit, requires, visited

pages = Blueprint("roles", __name__)
BASE = "/settings/roles"
SCOPED = ("read", "write", "delete")


@pages.get(BASE)
@requires(ADMINISTER)
@visited
def roles(visit: Visit) -> Response:
    """Every role with the number of its holders."""
    session = unrestricted(visit.context, "roles")
    rows = tuple(
        Row(str(role.id), role.name, f"{BASE}/{role.id}", (
            Cell(role.name, "title", url=f"{BASE}/{role.id}"), Cell(role.description), Cell(str(count), "number"),
        ))
        for role, count in list_roles(session)
    )  # fmt: skip
    columns = (
        Column("name", str(_("Role"))), Column("description", str(_("What it is for"))),
        Column("holders", str(_("Holders")), right=True),
    )  # fmt: skip
    model = AdminTable(str(_("Roles")), Table(columns, rows))
    return page("admin/table.html", model, crumbs=[(_("Settings"), "/settings/modules"), _("Roles")], side=settings_side(visit),
                actions=[Action(str(_("New role")), f"{BASE}/new", "plus", tone="primary", key="N")])  # fmt: skip


@pages.route(f"{BASE}/new", methods=["GET", "POST"])
@requires(ADMINISTER)
@visited
def new_role(visit: Visit) -> Response:
    """A form for a new role."""
    return _editor(visit, None)


@pages.route(f"{BASE}/<int:role_id>", methods=["GET", "POST"])
@requires(ADMINISTER)
@visited
def edit(visit: Visit, role_id: int) -> Response:
    """The permissions of one role."""
    return _editor(visit, _role(visit, role_id))


@pages.post(f"{BASE}/<int:role_id>/delete")
@requires(ADMINISTER)
@visited
def remove(visit: Visit, role_id: int) -> Response:
    """Delete a role and take it from its holders."""
    role = _role(visit, role_id)
    name = role.name
    delete_role(unrestricted(visit.context, "roles"), role)
    return redirect_with(BASE, Toast(str(_("The role {name} is deleted", name=name))))


def _role(visit: Visit, role_id: int) -> Role:
    role = unrestricted(visit.context, "roles").get(Role, role_id)
    if role is None:
        raise NotFound(_("There is no role {id}.", id=role_id))
    return role


def _editor(visit: Visit, role: Role | None) -> Response:
    ctx, session = visit.context, unrestricted(visit.context, "roles")
    trouble: RuleViolation | None = None
    wanted = {name[6:]: scope for name, scope in request.form.items() if name.startswith("scope.")}
    if request.method == "POST":
        try:
            with ctx.savepoint():
                _save(visit, role, wanted)
            return redirect_with(
                BASE, Toast(str(_("The role {name} is saved", name=request.form.get("name", "").strip())))
            )
        except RuleViolation as refused:
            trouble = refused
    held = wanted if request.method == "POST" else (dict(permissions_of(session, role)) if role is not None else {})
    is_administrator = role is not None and role.template == ADMINISTRATOR
    error = str(trouble) if trouble is not None and trouble.field == "name" else ""
    fields = (
        FieldInput("name", str(_("Name")), value=request.form.get("name", role.name if role else ""), required=True, error=error),
        FieldInput("description", str(_("What it is for")), value=request.form.get("description", role.description if role else "")),
    )  # fmt: skip
    url = f"{BASE}/{role.id}" if role is not None else f"{BASE}/new"
    delete = None
    if role is not None and not is_administrator:
        count = len(members_of(session, role))
        question = _("Delete the role {name}? {count} users hold it.", name=role.name, count=count)
        delete = Action(
            str(_("Delete this role")), f"{url}/delete", "trash", post=True, tone="danger", confirm=str(question)
        )
    title = role.name if role is not None else str(_("New role"))
    model = RoleEditor(
        title, url, BASE, fields, () if is_administrator else tuple(_groups(visit.registry, held)),
        (Option("", str(_("No"))), Option("own", str(_("Own"))), Option("team", str(_("Team"))), Option("all", str(_("All")))),
        (FormError(str(trouble), f"f-{trouble.field}" if trouble.field == "name" else ""),) if trouble is not None else (),
        delete,
    )  # fmt: skip
    return page(
        "admin/role.html",
        model,
        crumbs=[(_("Roles"), BASE), title],
        side=settings_side(visit),
        status=422 if trouble else 200,
    )


def _groups(registry: Registry, held: dict[str, str]) -> list[PermissionGroup]:
    """The permissions by record type, then those of the modules beyond the usual four."""
    groups: dict[str, list[PermissionRow]] = {}
    for name, permission in sorted(registry.permissions.items()):
        parts = name.split(".")
        scoped = len(parts) < 3 or parts[-1] != "create"
        key = ".".join(parts[:2]) if ".".join(parts[:2]) in registry.record_types else parts[0]
        if name == ADMINISTER:
            scoped = False
        groups.setdefault(key, []).append(
            PermissionRow(name, str(permission.label), held.get(name, ""), scoped or held.get(name) == "own")
        )
    order = {verb: place for place, verb in enumerate(("read", "create", "write", "delete"))}
    found = []
    for key, rows in groups.items():
        declared = registry.record_types.get(key)
        module = key.partition(".")[0]
        plugin = registry.plugins.get(module)
        title = str(plugin.manifest.title) if plugin is not None else str(_("Platform"))
        rows.sort(key=lambda row: order.get(row.name.rpartition(".")[2], 9))
        found.append(
            PermissionGroup(Module(module, title), str(declared.declaration.plural) if declared else title, tuple(rows))
        )
    return found


def _save(visit: Visit, role: Role | None, wanted: dict[str, str]) -> None:
    ctx = visit.context
    session, known = unrestricted(ctx, "roles"), ctx.registry.permissions
    name, description = request.form.get("name", ""), request.form.get("description", "")[:500]
    given = {permission: scope for permission, scope in wanted.items() if scope and permission in known}
    if role is None:
        create_role(session, name=name, description=description, permissions=given, known=known)
        return
    edit_role(session, role, name=name, description=description)
    if role.template == ADMINISTRATOR:
        return
    held = permissions_of(session, role)
    for permission, scope in wanted.items():
        if permission in known and (scope or None) != held.get(permission):
            set_permission(session, role, permission, scope or None, known=known)
