"""The rights of sales, and the roles that it brings."""

from __future__ import annotations

from comptoir.toolkit import Permission, RoleTemplate, _
from comptoir_sales import models

NAMES = {
    "base.contact.read": "all",
    "base.user.read": "all",
    "base.team.read": "all",
    "catalog.product.read": "all",
    "catalog.price_list.read": "all",
    "sales.pipeline.read": "all",
    "sales.stage.read": "all",
    "sales.lost_reason.read": "all",
}
"""What everyone in sales needs to read to understand a deal."""

ROLES = (
    RoleTemplate(
        "sales.agent",
        _("Sales agent"),
        NAMES
        | {
            f"base.{record}.{action}": "own"
            for record in ("interaction", "task", "appointment")
            for action in ("create", "write")
        }
        | {"base.contact.create": "own", "base.contact.write": "team", "base.interaction.read": "all"}
        | {"base.task.read": "team", "base.appointment.read": "team"}
        | {f"sales.{record}.read": "team" for record in ("lead", "deal")}
        | {f"sales.{record}.{action}": "own" for record in ("lead", "deal") for action in ("create", "write")},
        _("Works on their own deals and sees those of the team."),
    ),
    RoleTemplate(
        "sales.lead",
        _("Sales lead"),
        NAMES
        | {
            f"base.{record}.{action}": "team"
            for record in ("interaction", "task", "appointment")
            for action in ("read", "create", "write", "delete")
        }
        | {"base.contact.create": "team", "base.contact.write": "all"}
        | {
            f"sales.{record}.{action}": "team"
            for record in ("lead", "deal")
            for action in ("read", "create", "write", "delete")
        }
        | {models.REOPEN: "team"},
        _("Sees and edits every deal of the team and the teams below it."),
    ),
)

ALL = (Permission(models.REOPEN, _("Reopen a closed deal")), *ROLES)
