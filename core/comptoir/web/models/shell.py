"""What stands around every page, and the small parts that most pages show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

Tone = Literal["", "ok", "warn", "bad", "accent", "brass", "plum"]
NOTHING = Markup("")


@dataclass(frozen=True, slots=True)
class Module:
    """Which module put something on a page; core pages carry none."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the rail, the side navigation of settings, or the phone's bar."""

    label: str
    url: str
    icon: str = ""
    current: bool = False
    open: bool = False
    count: str = ""
    alarm: str = ""
    module: str = ""
    children: tuple[NavItem, ...] = ()


@dataclass(frozen=True, slots=True)
class NavGroup:
    title: str
    items: tuple[NavItem, ...]


@dataclass(frozen=True, slots=True)
class Crumb:
    label: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A button.  ``post`` makes it a form of its own; ``confirm`` asks first and repeats the deed on its button.

    ``asks`` opens the page of its address as a dialog where scripts run.
    """

    label: str
    url: str
    icon: str = ""
    post: bool = False
    tone: Literal["", "primary", "danger", "quiet"] = ""
    key: str = ""
    confirm: str = ""
    hidden_on_phone: bool = False
    fields: tuple[tuple[str, str], ...] = ()
    disabled_because: str = ""
    dialog: str = ""
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Banner:
    """A line under the top bar that concerns the whole deployment, such as a quarantined module."""

    text: str
    tone: Literal["info", "ok", "warn", "bad"] = "warn"
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Toast:
    """A short answer to what was just done, with the way to take it back."""

    text: str
    undo_url: str = ""
    undo_fields: tuple[tuple[str, str], ...] = ()
    tone: Literal["", "bad"] = ""


@dataclass(frozen=True, slots=True)
class UserView:
    name: str
    email: str
    detail: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Shell:
    """Everything around the page."""

    deployment: str
    user: UserView | None = None
    groups: tuple[NavGroup, ...] = ()
    foot: tuple[NavItem, ...] = ()
    side: tuple[NavGroup, ...] = ()
    tabbar: tuple[NavItem, ...] = ()
    crumbs: tuple[Crumb, ...] = ()
    actions: tuple[Action, ...] = ()
    banners: tuple[Banner, ...] = ()
    toasts: tuple[Toast, ...] = ()
    seats: str = ""
    language: str = "en"
    scheme: Literal["", "light", "dark"] = ""
    density: Literal["", "compact", "comfortable"] = ""
    rail: Literal["", "mini"] = ""
    here: str = "/"
    """The address of the page, to return to after a choice in its frame."""


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    url: str
    current: bool = False
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Empty:
    title: str
    text: str = ""
    actions: tuple[Action, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Pager:
    label: str
    previous_url: str = ""
    next_url: str = ""
    sizes: tuple[Choice, ...] = ()
    took: str = ""
