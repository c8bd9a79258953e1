"""Addresses with parameters: what a page was asked for, the same with a change, and where to return to."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from flask import request

Pairs = list[tuple[str, str]]


def url_with(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A path with these parameters, brackets left readable."""
    query = urlencode(list(pairs), safe="[]:,-")
    return f"{path}?{query}" if query else path


def without(pairs: Pairs, *names: str) -> Pairs:
    """The parameters without some, and without the place in the pages."""
    gone = {*names, "page[after]", "page[number]", "back"}
    return [(name, value) for name, value in pairs if name not in gone]


def given_pairs() -> Pairs:
    """The parameters of this request that say something."""
    return [(name, value) for name, value in request.args.items(multi=True) if value != ""]


def here() -> str:
    """The address of this request as a form of the page carries it, to return to."""
    return url_with(request.path, given_pairs())


def own_path(wished: str, otherwise: str = "/", *, below: str = "/") -> str:
    """A wished path of this deployment, the other where it leads elsewhere or not ``below`` an address."""
    fine = wished.startswith("/") and not wished.startswith("//") and "\\" not in wished and wished.isprintable()
    inside = f"{wished.partition('?')[0]}/".startswith(f"{below.rstrip('/')}/")
    return wished if fine and inside else otherwise
