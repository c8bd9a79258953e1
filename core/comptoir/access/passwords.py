"""Passwords: what is accepted, how it is kept and how it is compared."""

from __future__ import annotations

import os
import unicodedata
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from comptoir.db.types import fold
from comptoir.errors import RuleViolation
from comptoir.i18n import _

SHORTEST = 10
LONGEST = 1_000
"""Longer secrets are refused before they are hashed: a request must not buy minutes of work."""

CHEAP = "COMPTOIR_CHEAP_PASSWORDS"
"""Set to ``1`` by test suites alone: hashes cost microseconds then, and protect nothing."""

COMMON = frozenset(
    {
        "0123456789", "1234567890", "12345678910", "123456789a", "1q2w3e4r5t", "1qaz2wsx3edc", "a123456789", "abcdefghij",
        "administrator", "changeme123", "letmein123", "password01", "password1!", "password12", "password123",
        "password1234", "passw0rd123", "q1w2e3r4t5", "q1w2e3r4t5y6", "qwerty1234", "qwerty12345", "qwerty123456",
        "qwertyuiop", "qwertyuiop123", "welcome123", "welcome1234", "zxcvbnm123", "iloveyou123", "parola1234",
        "wachtwoord", "wachtwoord1", "haslo12345", "qwertz1234", "qwertzuiop", "azertyuiop", "comptoir123",
    }
)  # fmt: skip
"""What people choose first among secrets that are long enough."""


def check_password(secret: str, *, name: str = "", email: str | None = None) -> None:
    """Raise `RuleViolation` for a password that is too short, too long, the person's own name or among the first guesses."""
    if len(secret) < SHORTEST:
        raise _unfit(
            _("A password has at least {count} characters. A few words in a row are easy to keep.", count=SHORTEST)
        )
    if len(secret) > LONGEST:
        raise _unfit(_("A password has at most {count} characters.", count=LONGEST))
    if _as_bytes(secret) is None:
        raise _unfit(_("This password holds a character that cannot be stored. Choose another."))
    key = fold(secret)
    own = {fold(name), fold(email or ""), fold((email or "").partition("@")[0])}
    if key in own:
        raise _unfit(_("A password is not one’s own name or e-mail address. Choose another."))
    if key in COMMON or len(set(key)) < 4:
        raise _unfit(_("This password is among the first that anyone would try. Choose another."))


def hash_password(secret: str) -> str:
    """The argon2id hash to store."""
    prepared = _as_bytes(secret)
    if prepared is None or len(secret) > LONGEST:
        raise _unfit(_("This password holds a character that cannot be stored. Choose another."))
    return _hashes()[0].hash(prepared)


def prepare_hashes() -> None:
    """Make what the first comparison needs, once for each process."""
    _hashes()


def verify_password(secret: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether the secret is the stored one, and a new hash where the old one was made with weaker parameters.

    Without a stored hash the same work is done against one that nothing matches, so that the time taken tells nothing.
    """
    hashes, dummy = _hashes()
    prepared = _as_bytes(secret) if len(secret) <= LONGEST else None
    if stored is None or prepared is None:
        hashes.verify(prepared or b"", dummy)
        return False, None
    return hashes.verify_and_update(prepared, stored)


def _as_bytes(secret: str) -> bytes | None:
    """One form for a text that keyboards write in several; None for half a surrogate pair."""
    try:
        return unicodedata.normalize("NFKC", secret).encode()
    except UnicodeEncodeError:
        return None


def _hashes() -> tuple[PasswordHash, str]:
    return _with_cost(cheap=os.environ.get(CHEAP) == "1")


@cache
def _with_cost(*, cheap: bool) -> tuple[PasswordHash, str]:
    hasher = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1) if cheap else Argon2Hasher()
    hashes = PasswordHash((hasher,))
    return hashes, hashes.hash(os.urandom(32))


def _unfit(message: object) -> RuleViolation:
    return RuleViolation("core.unfit_password", message, field="password")
