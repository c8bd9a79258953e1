"""What every answer and every unsafe request has to satisfy, whatever page it is."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request
from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix

from comptoir.errors import NotAllowed
from comptoir.i18n import _
from comptoir.settings import Settings

BODY_LIMIT = 32 * 1024 * 1024
FORM_LIMIT = 2 * 1024 * 1024
FORM_PARTS = 10_000
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; manifest-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def protect(app: Flask, settings: Settings) -> None:
    """Set the limits of requests, check the host and add the headers of every answer."""
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT, MAX_FORM_MEMORY_SIZE=FORM_LIMIT, MAX_FORM_PARTS=FORM_PARTS,
        PREFERRED_URL_SCHEME="https" if settings.https else "http",
    )  # fmt: skip
    if settings.proxies:
        n = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    allowed = {host.lower() for host in settings.hosts}

    @app.before_request
    def check_host() -> None:
        if allowed and request.host.rpartition(":")[0].lower() not in allowed and request.host.lower() not in allowed:
            raise BadRequest(str(_("This server does not answer to that host name.")))

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if is_secure(settings):
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response


def is_secure(settings: Settings) -> bool:
    """Whether the browser speaks https to this deployment."""
    return settings.https or request.is_secure


def new_token() -> str:
    """A random token for a form."""
    return secrets.token_urlsafe(32)


def mask_token(token: str) -> str:
    """A token in a form that never looks the same, so that the size of compressed pages tells nothing about it."""
    plain = token.encode()
    pad = secrets.token_bytes(len(plain))
    return base64.urlsafe_b64encode(pad + bytes(a ^ b for a, b in zip(pad, plain, strict=True))).decode()


def unmask_token(masked: str) -> str:
    """The token behind a mask; nothing where it is none."""
    try:
        both = base64.urlsafe_b64decode(masked.encode())
    except (ValueError, binascii.Error):
        return ""
    half = len(both) // 2
    return bytes(a ^ b for a, b in zip(both[:half], both[half:], strict=False)).decode(errors="replace")


def require_own_origin(incoming: Request) -> None:
    """Refuse an unsafe request that another site's page sent."""
    origin = incoming.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != incoming.host
    if foreign or incoming.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise NotAllowed(
            _("This request came from another site. Open the page here and try again."), code="core.foreign_origin"
        )


def require_csrf_token(incoming: Request, expected: str) -> None:
    """Refuse an unsafe request that does not carry the session's token in its form or in ``X-CSRF-Token``."""
    given = incoming.headers.get("X-CSRF-Token") or incoming.form.get("csrf_token", "")
    if not expected or not any(
        hmac.compare_digest(token.encode(), expected.encode()) for token in (unmask_token(given), given)
    ):
        raise NotAllowed(_("This page is too old to be trusted. Load it again and repeat the step."), code="core.csrf")
