"""One's own API tokens: made, shown once, and ended."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from comptoir.access.tokens import create_token, list_tokens, revoke_token
from comptoir.context import unrestricted
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.web.frame import page, redirect_with
from comptoir.web.models.account import TokenLine, TokensPage
from comptoir.web.models.input import FieldInput, FormError
from comptoir.web.models.shell import Toast
from comptoir.web.session import Visit, visited

pages = Blueprint("tokens", __name__)
BASE = "/account/tokens"


@pages.get(BASE)
@visited
def tokens(visit: Visit) -> Response:
    """The tokens that act for the person who is signed in, and a form for another one."""
    return _page(visit)


@pages.post(BASE)
@visited
def make(visit: Visit) -> Response:
    """A new token, shown on this answer and never again."""
    name, scopes = request.form.get("name", "").strip(), request.form.get("scopes", "").replace(",", " ").split()
    try:
        if not name or not name.isprintable():
            raise RuleViolation("core.required", _("Give the token a name that says what uses it."), field="name")
        with visit.context.savepoint():
            plain, _row = create_token(
                unrestricted(visit.context, "tokens"), visit.user, name, scopes, visit.context.now(),
                known=visit.registry.permissions,
            )  # fmt: skip
    except RuleViolation as refused:
        return _page(visit, refused)
    return _page(visit, plain=plain)


@pages.post(f"{BASE}/<int:token_id>/revoke")
@visited
def end(visit: Visit, token_id: int) -> Response:
    """End one of one's tokens for good."""
    row = revoke_token(unrestricted(visit.context, "tokens"), token_id, user=visit.user)
    return redirect_with(BASE, Toast(str(_("{name} no longer works", name=row.name or row.prefix))))


def _page(visit: Visit, refused: RuleViolation | None = None, plain: str = "") -> Response:
    formats, now = visit.formats, visit.context.now()
    wrong = {refused.field or "": str(refused)} if refused is not None else {}
    form: Any = request.form if refused is not None else {}
    lines = tuple(
        TokenLine(
            row.name or "–", f"{row.prefix}…", row.scopes or str(_("everything that you may")),
            formats.moment(row.created_at), formats.moment(row.last_used_at) if row.last_used_at else "",
            f"{BASE}/{row.id}/revoke",
        )
        for row, _user in list_tokens(unrestricted(visit.context, "tokens"), visit.user)
        if not row.revoked and (row.expires_at is None or row.expires_at > now)
    )  # fmt: skip
    title = str(_("API tokens"))
    model = TokensPage(
        title, BASE, lines, plain,
        (
            FieldInput("name", str(_("Name")), value=form.get("name", ""), required=True, maximum_length=100,
                       placeholder=str(_("What uses it")), error=wrong.get("name", "")),
            FieldInput("scopes", str(_("Only for")), value=form.get("scopes", ""), error=wrong.get("scopes", ""),
                       hint=str(_("A module, a record type or a permission, such as sales.deal; empty for all that you may."))),
        ),
        (FormError(str(refused), f"f-{refused.field}" if refused.field else ""),) if refused is not None else (),
    )  # fmt: skip
    return page("tokens.html", model, crumbs=[(_("Your account"), "/account"), title], status=422 if refused else 200)
