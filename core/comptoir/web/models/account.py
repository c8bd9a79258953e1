"""Signing in, sessions, tokens."""

from __future__ import annotations

from dataclasses import dataclass

from comptoir.web.models.input import FieldInput, FormError


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A browser that is signed in; the present one has nothing to end it with but signing out."""

    browser: str
    agent: str
    address: str
    since: str
    used: str
    end_url: str


@dataclass(frozen=True, slots=True)
class SessionsPage:
    """Where somebody is signed in."""

    title: str
    sessions: tuple[SessionLine, ...]


@dataclass(frozen=True, slots=True)
class TokenLine:
    name: str
    prefix: str
    scopes: str
    made: str
    used: str
    revoke_url: str


@dataclass(frozen=True, slots=True)
class TokensPage:
    """One's own tokens; ``plain`` is the one that was just made, which is shown once."""

    title: str
    url: str
    tokens: tuple[TokenLine, ...]
    plain: str
    fields: tuple[FieldInput, ...]
    errors: tuple[FormError, ...] = ()


@dataclass(frozen=True, slots=True)
class SignInPage:
    url: str
    email: str = ""
    error: str = ""
    next: str = ""
    notice: str = ""
