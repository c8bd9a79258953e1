"""Signing in and out, one's own account, and how one likes the pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, render_template, request
from sqlalchemy import select, update

from comptoir.access.models import SignInSession, User
from comptoir.access.sessions import (
    ABSOLUTE,
    Refusal,
    SignedIn,
    begin_sign_in,
    compare,
    confirm,
    end_all_sessions,
    end_session,
    find_session,
    finish_sign_in,
    list_sessions,
    open_session,
    rotate_session,
)
from comptoir.access.users import ACCOUNTS, rename_user, set_password
from comptoir.db.gate import opened
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.errors import NotAllowed, RuleViolation
from comptoir.i18n import LANGUAGES, Text, _, speaking
from comptoir.web.frame import frame, page, redirect_with
from comptoir.web.security import require_csrf_token, require_own_origin
from comptoir.web.session import (
    COOKIE,
    FORM_COOKIE,
    cookie_name,
    current_context,
    current_deployment,
    current_registry,
    current_visit,
    form_token,
    preferred_language,
    public,
    set_cookie,
)
from comptoir.web.view_models import (
    Action,
    AdminTable,
    Cell,
    Column,
    FieldInput,
    FormError,
    FormPage,
    FormSection,
    Option,
    Row,
    SignInPage,
    Table,
    Toast,
)

pages = Blueprint("account", __name__)

PREFERENCES = {"scheme": {"", "light", "dark"}, "density": {"", "compact", "comfortable"}, "rail": {"", "mini"}}


# -- signing in -----------------------------------------------------------------------------------------------------------


def _own_path(target: str) -> str:
    """A path of this deployment to go to, or the start page."""
    parts = urlsplit(target)
    fine = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return target if fine and "\\" not in target and target.isprintable() else "/"


def _sign_in_page(error: Text = "", email: str = "", status: int = 200) -> Response:
    g.pop("visit", None)
    with speaking(preferred_language()):
        model = SignInPage("/login", email=email, error=str(error), next=request.values.get("next", ""))
        html = render_template("sign_in.html", shell=frame(crumbs=()), page=model)
    answer = Response(html, status=status, mimetype="text/html")
    set_cookie(answer, FORM_COOKIE, form_token())
    return answer


@pages.get("/login")
@public
def sign_in_form() -> Response:
    """The page to sign in; whoever is signed in goes on."""
    deployment, token = current_deployment(), request.cookies.get(cookie_name(COOKIE))
    if token:
        with UnitOfWork(deployment.engine) as uow:
            if find_session(uow.system, token, deployment.clock()) is not None:
                return redirect_with(_own_path(request.args.get("next", "/")))
    return _sign_in_page()


@pages.post("/login")
@public
def sign_in() -> Response:
    """Compare the password outside any transaction, then open a session under a new token."""
    require_own_origin(request)
    if not request.cookies.get(cookie_name(FORM_COOKIE)):
        return _sign_in_page(
            _("Your browser did not send its cookie. Allow cookies for this site and try again."), status=403
        )
    require_csrf_token(request, request.cookies[cookie_name(FORM_COOKIE)])
    deployment = current_deployment()
    email, secret = request.form.get("email", "").strip()[:320], request.form.get("password", "")
    address, now = request.remote_addr or "", deployment.clock()
    if "\x00" in email or "\x00" in secret:
        return _refused(email, Refusal("core.sign_in_refused", _("E-mail and password do not match.")))
    with UnitOfWork(deployment.engine, write=True) as uow:
        attempt = begin_sign_in(uow.system, email, now, address=address)
    if isinstance(attempt, Refusal):
        return _refused(email, attempt)
    right, renewed = compare(attempt, secret)
    stay, token = bool(request.form.get("stay")), ""
    with deployment.system_context("sign-in", registry=current_registry()) as ctx:
        user = finish_sign_in(ctx.bookkeeping("own account"), attempt, right=right, renewed=renewed)
        if isinstance(user, User):
            old = request.cookies.get(cookie_name(COOKIE))
            if old:
                end_session(ctx.bookkeeping("own account"), old)
            token, _row = open_session(
                ctx.bookkeeping("own account"),
                user,
                now,
                remember=stay,
                address=address,
                agent=request.headers.get("User-Agent", ""),
            )
            ctx.hooks.on_login(ctx=ctx, user=user)
    if isinstance(user, Refusal):
        return _refused(email, user)
    answer = redirect_with(_own_path(request.form.get("next", "/")))
    set_cookie(answer, COOKIE, token, ABSOLUTE if stay else None)
    answer.delete_cookie(cookie_name(FORM_COOKIE), path="/", secure=request.is_secure)
    return answer


def _refused(email: str, refusal: Refusal) -> Response:
    with current_deployment().system_context("sign-in refused", registry=current_registry()) as ctx:
        ctx.hooks.on_login_refused(ctx=ctx, identifier=email, reason=refusal.code)
    answer = _sign_in_page(refusal.message, email, 429 if refusal.wait is not None else 422)
    if refusal.wait is not None:
        answer.headers["Retry-After"] = str(int(refusal.wait.total_seconds()) + 1)
    return answer


@pages.post("/logout")
def sign_out() -> Response:
    """End this session."""
    token = request.cookies.get(cookie_name(COOKIE), "")
    end_session(current_context().bookkeeping("own account"), token)
    answer = redirect_with("/login")
    answer.delete_cookie(cookie_name(COOKIE), path="/", secure=request.is_secure)
    return answer


def confirm_password(secret: str) -> Text | None:
    """Have the password typed again before a deed that concerns everyone; the reason when it is wrong.

    Counted like a sign-in: call it outside a savepoint and answer without raising, or the count is undone with the deed.
    """
    visit = current_visit()
    if confirmed := visit.context.bookkeeping("own account").get(SignInSession, visit.session.token_hash):
        refusal = confirm(
            visit.context.bookkeeping("own account"), SignedIn(confirmed, visit.user), secret, visit.context.now()
        )
        if refusal is not None:
            return refusal.message
    return None


# -- one's own account ----------------------------------------------------------------------------------------------------


@pages.route("/account", methods=["GET", "POST"])
def account() -> Response:
    """Name, language, time zone and password of the person who is signed in."""
    visit = current_visit()
    ctx, user = visit.context, visit.user
    violations: list[RuleViolation] = []
    if request.method == "POST":
        new_password = request.form.get("password", "")
        # compared outside the savepoint: a wrong guess counts even though nothing else is kept
        wrong = confirm_password(request.form.get("current", "")) if new_password else None
        try:
            if wrong is not None:
                raise RuleViolation("core.wrong_password", wrong, field="current")
            with ctx.savepoint():
                _change_account(violations)
                if violations:
                    raise violations[0]
            answer = redirect_with("/account", Toast(str(_("Saved"))))
            if new_password:
                renewed_session()(answer)
            return answer
        except RuleViolation as violation:
            if not violations:
                violations.append(violation)
    by_field = {v.field: str(v) for v in violations}
    form = request.form if request.method == "POST" else {}
    model = FormPage(
        str(_("Your account")),
        "/account",
        (
            FormSection(
                str(_("You")),
                (
                    FieldInput("name", str(_("Name")), value=form.get("name", user.name), required=True, autocomplete="name",
                               error=by_field.get("name", "")),
                    FieldInput("email", str(_("E-mail")), "email", user.email or "", readonly=True,
                               hint=str(_("An administrator changes it."))),
                    FieldInput("language", str(_("Language")), "choice", form.get("language", user.language),
                               options=tuple(Option(code, name) for code, name in LANGUAGES.items())),
                    FieldInput("timezone", str(_("Time zone")), value=form.get("timezone", user.timezone or ""),
                               placeholder=str(ctx.settings.timezone), error=by_field.get("timezone", ""),
                               hint=str(_("A name such as Europe/Bucharest; empty for the deployment’s."))),
                ),
            ),
            FormSection(
                str(_("New password")),
                (
                    FieldInput("current", str(_("Password so far")), "password", autocomplete="current-password",
                               error=by_field.get("current", "")),
                    FieldInput("password", str(_("New password")), "password", autocomplete="new-password",
                               error=by_field.get("password", ""), hint=str(_("Empty to keep the old one."))),
                ),
                hint=str(_("Other devices are signed out.")),
            ),
        ),
        "/",
        str(_("Save account")),
        errors=tuple(FormError(str(v), f"f-{v.field}" if v.field else "") for v in violations),
    )  # fmt: skip
    return page("records/form.html", model, crumbs=[_("Your account")], status=422 if violations else 200,
                actions=[
                    Action(str(_("API tokens")), "/account/tokens", "key", hidden_on_phone=True),
                    Action(str(_("Where I am signed in")), "/account/sessions", "shield"),
                ])  # fmt: skip


def _change_account(violations: list[RuleViolation]) -> None:
    from zoneinfo import ZoneInfo

    visit = current_visit()
    ctx, user = visit.context, visit.user
    name, zone = request.form.get("name", "").strip(), request.form.get("timezone", "").strip()
    if not name or len(name) > 255 or not name.isprintable():
        violations.append(RuleViolation("core.required", _("Type your name."), field="name"))
    if zone:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            violations.append(
                RuleViolation("core.timezone", _("There is no such time zone. Try Europe/Bucharest."), field="timezone")
            )
    language = request.form.get("language", "")
    if violations:
        return
    rename_user(user, name)
    user.timezone = zone or None
    if language in LANGUAGES:
        user.language = language
    user.updated_at, user.updated_by = ctx.now(), user.id
    ctx.bookkeeping("own account").write([user], ACCOUNTS)
    if secret := request.form.get("password", ""):
        set_password(
            ctx.bookkeeping("own account"), user, secret, ctx.now(), seats=ctx.settings.seats, keep=visit.session
        )


def renewed_session() -> Callable[[Response], None]:
    """Go on under a new token after a change of privilege; gives the function that puts it into the answer."""
    visit = current_visit()
    now = visit.context.now()
    stays = visit.session.expires_at - visit.session.created_at >= ABSOLUTE
    token, row = rotate_session(visit.context.bookkeeping("own account"), visit.session, now)
    return lambda answer: set_cookie(answer, COOKIE, token, row.expires_at - now if stays else None)


@pages.get("/account/sessions")
def sessions() -> Response:
    """Where this person is signed in."""
    visit = current_visit()
    rows = list_sessions(visit.context.bookkeeping("own account"), visit.user, visit.context.now())
    table = Table(
        (Column("agent", str(_("Browser"))), Column("address", str(_("Address"))), Column("since", str(_("Since"))),
         Column("last", str(_("Last used")))),
        tuple(
            Row(row.token_hash, row.agent, "", (
                Cell(row.agent[:90], note=str(_("this one")) if row.token_hash == visit.session.token_hash else ""),
                Cell(row.address),
                Cell(visit.formats.moment(row.created_at), "moment"),
                Cell(visit.formats.moment(row.last_seen_at), "moment"),
            ))
            for row in rows
        ),
    )  # fmt: skip
    others = Action(str(_("Sign out everywhere else")), "/account/sessions/end", "out", post=True)
    return page("admin/table.html", AdminTable(str(_("Where I am signed in")), table),
                crumbs=[(_("Your account"), "/account"), _("Where I am signed in")], actions=[others] if len(rows) > 1 else [])  # fmt: skip


@pages.post("/account/sessions/end")
def end_other_sessions() -> Response:
    """Sign out on every other device."""
    visit = current_visit()
    end_all_sessions(visit.context.bookkeeping("own account"), visit.user, except_=visit.session)
    return redirect_with("/account/sessions", Toast(str(_("Signed out everywhere else"))))


@pages.post("/preferences")
def preferences() -> Response:
    """Theme, row height and the width of the rail."""
    changes = {}
    for name, values in PREFERENCES.items():
        if name in request.form:
            if request.form[name] not in values:
                raise NotAllowed(_("There is no such choice."))
            changes[name] = request.form[name]
    remember(changes)
    if request.headers.get("HX-Request"):
        return Response(status=204)
    return redirect_with(_own_path(urlsplit(request.headers.get("Referer", "/")).path or "/"))


def remember(changes: Mapping[str, object]) -> None:
    """Keep preferences of the person who is signed in; None forgets one."""
    visit = current_visit()
    session = visit.context.bookkeeping("own account")
    kept = json.loads(session.scalar(select(User.preferences).where(User.id == visit.user.id)) or "{}")
    for name, value in changes.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    visit.preferences.clear()
    visit.preferences.update(kept)
    with opened("preferences of a person"):  # no version rises: nobody edits them as a record
        session.execute(
            update(User).where(User.id == visit.user.id).values(preferences=json.dumps(kept)),
            execution_options={"synchronize_session": False},
        )
