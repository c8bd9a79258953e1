"""``Idempotency-Key``: a POST that is sent twice does its work once and answers alike."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Protocol

from flask import Request, Response
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from comptoir.context import Context, unrestricted
from comptoir.errors import Conflict, Overtaken, RuleViolation
from comptoir.i18n import _
from comptoir.rest.models import IdempotentAnswer

HEADER = "Idempotency-Key"
KEPT = dt.timedelta(days=2)
LONGEST = 255
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")


class Call(Protocol):
    """A request with its context: a `comptoir.rest.call.Call`."""

    request: Request
    context: Context
    credential: str


class AnsweredMeanwhile(Overtaken):
    """The same key was answered by another process while this one worked; its answer is the one to give."""


def _key(call: Call) -> str | None:
    key = call.request.headers.get(HEADER)
    if key is not None and not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise RuleViolation(
            "core.bad_key", _("The Idempotency-Key is 1 to {limit} printable characters.", limit=LONGEST), field=HEADER
        )
    return key


def _request(call: Call) -> tuple[str, str]:
    body = call.request.get_data(cache=True)
    return f"{call.request.method} {call.request.full_path.rstrip('?')}"[:255], hashlib.sha256(body).hexdigest()


def _rights(call: Call) -> str:
    """A digest of what the caller may do and for whose records; equal digests read the same answer."""
    actor = call.context.actor
    told = f"{actor.grants.administrator} {sorted(actor.grants.scopes)} {sorted(actor.team_ids)} {actor.team_id}"
    return hashlib.sha256(told.encode()).hexdigest()


def replayed(call: Call) -> Response | None:
    """The answer that this key was given before, or None once it is claimed; a key of another request is refused.

    So is one that was used with another credential, or with other rights than the caller has now: the answer might
    hold what they may not see.  A claimed key is forgotten with a transaction that fails, so a refused request may be mended and sent again.
    """
    key = _key(call)
    if key is None:
        return None
    kept = (
        unrestricted(call.context, "repeated requests")
        .execute(
            select(IdempotentAnswer).where(
                IdempotentAnswer.user_id == call.context.actor.id, IdempotentAnswer.key == key
            )
        )
        .scalar_one_or_none()
    )
    if kept is None:
        _claim(call, key)
        return None
    if (kept.request, kept.body_hash) != _request(call):
        raise RuleViolation(
            "core.key_reused",
            _("This Idempotency-Key was used for another request. Take a new key for a new request."),
            field=HEADER,
        )
    if kept.credential != call.credential:
        raise RuleViolation(
            "core.key_of_another_token",
            _("This Idempotency-Key was used with another token. Send the request with that one, or take a new key."),
            field=HEADER,
        )
    if kept.rights != _rights(call):
        raise Conflict(
            _(
                "This request was done already, and your rights have changed since: its answer is not given again."
                " Read the record instead."
            ),
            code="core.rights_changed",
        )
    return Response(kept.body, kept.status, {**kept.headers, "Idempotent-Replayed": "true"})


def _claim(call: Call, key: str) -> None:
    """Take the key before the work: whoever comes second waits here until the first has committed."""
    session, now = unrestricted(call.context, "repeated requests"), call.context.now()
    request, body_hash = _request(call)
    session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.created_at < now - KEPT))
    try:
        session.execute(
            insert(IdempotentAnswer).values(
                user_id=call.context.actor.id,
                key=key,
                request=request,
                body_hash=body_hash,
                credential=call.credential,
                rights=_rights(call),
                status=0,
                headers={},
                body=b"",
                created_at=now,
            )
        )
    except IntegrityError:
        raise AnsweredMeanwhile(_("The same request is being answered already. Send it again.")) from None


def remember(call: Call, response: Response) -> None:
    """Keep the answer in the transaction of its effect."""
    key = _key(call)
    if key is None:
        return
    unrestricted(call.context, "repeated requests").execute(
        update(IdempotentAnswer)
        .where(IdempotentAnswer.user_id == call.context.actor.id, IdempotentAnswer.key == key)
        .values(
            status=response.status_code,
            headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
            body=response.get_data(),
        ),
        execution_options={"synchronize_session": False},
    )
