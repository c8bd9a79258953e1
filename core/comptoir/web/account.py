"""Signing in and out, one's own account, and how one likes the pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple, TypeVar
from zoneinfo import available_timezones

from flask import Blueprint, Response, g, render_template, request
from sqlalchemy import select, update

from comptoir.access.models import SignInSession, User
from comptoir.access.permissions import system_actor
from comptoir.access.security_log import SIGNED_OUT, record_event
from comptoir.access.sessions import (
    ABSOLUTE,
    DEVICE_KEPT,
    Refusal,
    SignedIn,
    begin_sign_in,
    compare,
    confirm,
    end_all_sessions,
    end_session,
    end_session_of,
    find_session,
    finish_sign_in,
    list_sessions,
    open_session,
    remember_device,
    rotate_session,
)
from comptoir.access.users import ACCOUNTS, rename_user, set_password
from comptoir.context import Context, unrestricted
from comptoir.db.gate import opened
from comptoir.db.types import fold
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.edge import perform
from comptoir.errors import NotAllowed, RuleViolation
from comptoir.i18n import LANGUAGES, Text, _, ngettext, speaking
from comptoir.web.addresses import own_path
from comptoir.web.browsers import browser_name
from comptoir.web.frame import frame, is_kept_form, is_partial, page, redirect_with
from comptoir.web.models.account import SessionLine, SessionsPage, SignInPage
from comptoir.web.models.form import FormPage, FormSection
from comptoir.web.models.input import FieldInput, FormError, Option
from comptoir.web.models.shell import Action, Toast
from comptoir.web.security import mask_token, require_csrf_token, require_own_origin
from comptoir.web.session import (
    COOKIE,
    DEVICE_COOKIE,
    FORM_COOKIE,
    Visit,
    cookie_name,
    current_deployment,
    current_registry,
    form_token,
    preferred_language,
    public,
    set_cookie,
    visited,
)

pages = Blueprint("account", __name__)
T = TypeVar("T")

CONTINENTS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
PREFERENCES = {"scheme": {"", "light", "dark"}, "density": {"", "compact", "comfortable"}, "rail": {"", "mini"}}


# -- signing in -----------------------------------------------------------------------------------------------------------


def _sign_in_page(error: Text = "", email: str = "", status: int = 200) -> Response:
    g.pop("visit", None)
    with speaking(preferred_language()):
        model = SignInPage("/login", email=email, error=str(error), next=request.values.get("next", ""))
        if is_kept_form() or is_partial():
            html = render_template("_sign_in_again.html", page=model)
        else:
            html = render_template("sign_in.html", shell=frame(crumbs=()), page=model)
    answer = Response(html, status=status, mimetype="text/html")
    set_cookie(answer, FORM_COOKIE, form_token())
    return answer


@pages.get("/login")
@public
def sign_in_form() -> Response:
    """The page to sign in; whoever is signed in goes on."""
    token = request.cookies.get(cookie_name(COOKIE))
    if token:
        found = _as_system(
            "sign-in",
            lambda ctx: find_session(unrestricted(ctx, "own account"), token, ctx.now()) is not None,
            write=False,
        )
        if found:
            return redirect_with(own_path(request.args.get("next", "/")))
    return _sign_in_page()


@pages.get("/login/again")
@public
def sign_in_again() -> Response:
    """What a page asks for whose session ended: the form to sign in without leaving it, or a fresh token for its forms.

    Somebody may have signed in meanwhile in another tab.
    """
    deployment, token = current_deployment(), request.cookies.get(cookie_name(COOKIE))
    if token:
        with UnitOfWork(deployment.engine) as uow:
            found = find_session(uow.system, token, deployment.clock())
            if found is not None:
                return _welcome(Response(status=204), found.user.id, found.row.csrf_token)
    return _sign_in_page(email=request.args.get("email", "")[:320]) if is_partial() else redirect_with("/login")


class Entered(NamedTuple):
    """What a sign-in leaves in the browser."""

    token: str
    device: str
    user_id: int
    csrf_token: str


def _welcome(answer: Response, user_id: int, csrf_token: str) -> Response:
    """Tell a page whose session is renewed whose it is, and what its forms carry from now on."""
    answer.headers["Comptoir-User"] = str(user_id)
    answer.headers["Comptoir-Token"] = mask_token(csrf_token)
    return answer


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
    device = request.cookies.get(cookie_name(DEVICE_COOKIE), "")
    if "\x00" in email or "\x00" in secret:
        return _refused(email, Refusal("core.sign_in_refused", _("E-mail and password do not match.")))
    attempt = _as_system(
        "sign-in",
        lambda ctx: begin_sign_in(unrestricted(ctx, "own account"), email, now, address=address, device=device),
    )
    if isinstance(attempt, Refusal):
        return _refused(email, attempt)
    right, renewed = compare(attempt, secret)
    stay = bool(request.form.get("stay"))

    def enter(ctx: Context) -> Entered | Refusal:
        session = unrestricted(ctx, "own account")
        user = finish_sign_in(session, attempt, right=right, renewed=renewed)
        if isinstance(user, Refusal):
            return user
        old = request.cookies.get(cookie_name(COOKIE))
        if old:
            end_session(session, old)
        agent = request.headers.get("User-Agent", "")
        token, row = open_session(session, user, now, remember=stay, address=address, agent=agent)
        known = remember_device(session, user, now, device=device)
        ctx.hooks.on_login(ctx=ctx, user=user)
        return Entered(token, known, user.id, row.csrf_token)

    entered = _as_system("sign-in", enter)
    if isinstance(entered, Refusal):
        return _refused(email, entered)
    answer = redirect_with(own_path(request.form.get("next", "/")))
    set_cookie(answer, COOKIE, entered.token, ABSOLUTE if stay else None)
    set_cookie(answer, DEVICE_COOKIE, entered.device, DEVICE_KEPT)
    answer.delete_cookie(cookie_name(FORM_COOKIE), path="/", secure=request.is_secure)
    return _welcome(answer, entered.user_id, entered.csrf_token) if is_kept_form() else answer


def _as_system(reason: str, work: Callable[[Context], T], *, write: bool = True) -> T:
    """What `work` returns; nobody is signed in yet."""
    return perform(current_deployment(), system_actor(reason), work, write=write, registry=current_registry())


def _refused(email: str, refusal: Refusal) -> Response:
    answer = _sign_in_page(refusal.message, email, 429 if refusal.wait is not None else 422)
    if refusal.wait is not None:
        answer.headers["Retry-After"] = str(int(refusal.wait.total_seconds()) + 1)
    return answer


@pages.post("/logout")
@visited
def sign_out(visit: Visit) -> Response:
    """End this session."""
    token = request.cookies.get(cookie_name(COOKIE), "")
    session = unrestricted(visit.context, "own account")
    end_session(session, token)
    record_event(session, SIGNED_OUT, person=visit.user)
    answer = redirect_with("/login")
    answer.headers["Clear-Site-Data"] = '"cache"'
    answer.delete_cookie(cookie_name(COOKIE), path="/", secure=request.is_secure)
    return answer


def confirm_password(visit: Visit, secret: str) -> Text | None:
    """Have the password typed again before a deed that concerns everyone; the reason when it is wrong.

    Counted like a sign-in: call it outside a savepoint and answer without raising, or the count is undone with the deed.
    """
    if confirmed := unrestricted(visit.context, "own account").get(SignInSession, visit.session.token_hash):
        refusal = confirm(
            unrestricted(visit.context, "own account"), SignedIn(confirmed, visit.user), secret, visit.context.now()
        )
        if refusal is not None:
            return refusal.message
    return None


# -- one's own account ----------------------------------------------------------------------------------------------------


@pages.route("/account", methods=["GET", "POST"])
@visited
def account(visit: Visit) -> Response:
    """Name, language, time zone and password of the person who is signed in."""
    ctx, user = visit.context, visit.user
    violations: list[RuleViolation] = []
    if request.method == "POST":
        new_password = request.form.get("password", "")
        # compared outside the savepoint: a wrong guess counts even though nothing else is kept
        wrong = confirm_password(visit, request.form.get("current", "")) if new_password else None
        try:
            if wrong is not None:
                raise RuleViolation("core.wrong_password", wrong, field="current")
            with ctx.savepoint():
                revoked = _change_account(visit, violations)
                if violations:
                    raise violations[0]
            told = f"{_('Saved')}. {tokens_revoked(revoked)}" if revoked else str(_("Saved"))
            answer = redirect_with("/account", Toast(told))
            if new_password:
                renewed_session(visit)(answer)
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
                               suggestions=zones(),
                               hint=str(_("Type a city; empty for the deployment’s."))),
                ),
            ),
            FormSection(
                str(_("New password")),
                (
                    FieldInput("current", str(_("Password so far")), "password", autocomplete="current-password",
                               error=by_field.get("current", "")),
                    FieldInput("password", str(_("New password")), "password", autocomplete="new-password",
                               error=by_field.get("password", ""), hint=str(_("Empty to keep the old one."))),
                    FieldInput("revoke", str(_("End my API tokens too")), "bool",
                               "1" if form.get("revoke") or not form else "",
                               hint=str(_("Programs that use them stop until they get new ones."))),
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


@cache
def zones() -> tuple[str, ...]:
    """The time zones by their usual names, continent and city."""
    return tuple(sorted(zone for zone in available_timezones() if zone.startswith(CONTINENTS)))


def _zone_named(text: str) -> str | None:
    """The zone that was typed: its name, or the city alone, whatever its case."""
    wanted = fold(text).replace(" ", "_")
    named = [zone for zone in zones() if fold(zone) == wanted or fold(zone.rpartition("/")[2]) == wanted]
    if len(named) == 1:
        return named[0]
    return text if text in available_timezones() else None


def _change_account(visit: Visit, violations: list[RuleViolation]) -> int:
    """Save what the form says; how many tokens a new password ended."""
    ctx, user = visit.context, visit.user
    name, zone = request.form.get("name", "").strip(), request.form.get("timezone", "").strip()
    if not name or len(name) > 255 or not name.isprintable():
        violations.append(RuleViolation("core.required", _("Type your name."), field="name"))
    known_zone = _zone_named(zone) if zone else None
    if zone and known_zone is None:
        violations.append(
            RuleViolation("core.timezone", _("There is no such time zone. Try Europe/Bucharest."), field="timezone")
        )
    language = request.form.get("language", "")
    if violations:
        return 0
    rename_user(user, name)
    user.timezone = known_zone
    if language in LANGUAGES:
        user.language = language
    user.updated_at, user.updated_by = ctx.now(), user.id
    unrestricted(ctx, "own account").write([user], ACCOUNTS)
    if not (secret := request.form.get("password", "")):
        return 0
    return set_password(
        unrestricted(ctx, "own account"), user, secret, ctx.now(), seats=ctx.settings.seats, keep=visit.session,
        revoke=bool(request.form.get("revoke")),
    )  # fmt: skip


def tokens_revoked(count: int) -> Text:
    """What a new password did to the API tokens."""
    return ngettext("{count} API token no longer works", "{count} API tokens no longer work", count)


def renewed_session(visit: Visit) -> Callable[[Response], None]:
    """Go on under a new token after a change of privilege; gives the function that puts it into the answer."""
    now = visit.context.now()
    stays = visit.session.expires_at - visit.session.created_at >= ABSOLUTE
    token, row = rotate_session(unrestricted(visit.context, "own account"), visit.session, now)
    return lambda answer: set_cookie(answer, COOKIE, token, row.expires_at - now if stays else None)


@pages.get("/account/sessions")
@visited
def sessions(visit: Visit) -> Response:
    """Where this person is signed in."""
    rows = list_sessions(unrestricted(visit.context, "own account"), visit.user, visit.context.now())
    lines = tuple(
        SessionLine(
            str(browser_name(row.agent)), row.agent, row.address,
            visit.formats.moment(row.created_at), visit.formats.moment(row.last_seen_at),
            "" if row.token_hash == visit.session.token_hash else f"/account/sessions/{row.token_hash}/end",
        )
        for row in rows
    )  # fmt: skip
    title = str(_("Where I am signed in"))
    others = Action(str(_("Sign out everywhere else")), "/account/sessions/end", "out", post=True)
    return page("sessions.html", SessionsPage(title, lines), crumbs=[(_("Your account"), "/account"), title],
                actions=[others] if len(rows) > 1 else [])  # fmt: skip


@pages.post("/account/sessions/<token_hash>/end")
@visited
def end_one_session(visit: Visit, token_hash: str) -> Response:
    """Sign out on one other device."""
    end_session_of(unrestricted(visit.context, "own account"), visit.user, token_hash)
    return redirect_with("/account/sessions", Toast(str(_("Signed out there"))))


@pages.post("/account/sessions/end")
@visited
def end_other_sessions(visit: Visit) -> Response:
    """Sign out on every other device."""
    end_all_sessions(unrestricted(visit.context, "own account"), visit.user, except_=visit.session)
    return redirect_with("/account/sessions", Toast(str(_("Signed out everywhere else"))))


@pages.post("/preferences")
@visited
def preferences(visit: Visit) -> Response:
    """Theme, row height and the width of the rail."""
    changes = {}
    for name, values in PREFERENCES.items():
        if name in request.form:
            if request.form[name] not in values:
                raise NotAllowed(_("There is no such choice."))
            changes[name] = request.form[name]
    remember(visit, changes)
    if request.headers.get("HX-Request"):
        return Response(status=204)
    return redirect_with(own_path(request.form.get("next", "")))


def remember(visit: Visit, changes: Mapping[str, object]) -> None:
    """Keep preferences of the person who is signed in; None forgets one."""
    session = unrestricted(visit.context, "own account")
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
