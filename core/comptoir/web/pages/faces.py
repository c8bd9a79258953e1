"""How a record looks, from the choices that give it a face: its icon, its colour, the shape of its initials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comptoir.kinds import Face
from comptoir.records.declared import DeclaredType
from comptoir.web.session import Visit


def shows_initials(declared: DeclaredType) -> bool:
    """Whether the records of a type are shown by the initials of their title rather than by an icon."""
    return declared.title in declared.with_role("face")


def faces_of(visit: Visit, declared: DeclaredType) -> tuple[str, ...]:
    """The fields that a record's look follows from, as far as the reader may see them."""
    hidden = declared.hidden_fields(visit.context.actor.grants)
    return tuple(name for name in declared.with_role("face") if name not in hidden)


def face_of(declared: DeclaredType, row: Mapping[str, Any]) -> Face:
    """The face of a record: the choices that were made, in their order, the first icon and colour counting."""
    chosen = (declared.fields[name].choice_of(row.get(name)) for name in declared.with_role("face"))
    faces = [choice.face for choice in chosen if choice is not None and choice.face is not None]
    icon = next((face.icon for face in faces if face.icon), "")
    for face in faces:
        icon = dict(face.turns).get(icon, icon)
    tone = next((face.tone for face in faces if face.tone), "")
    return Face(
        icon or ("" if shows_initials(declared) else declared.declaration.icon), tone, any(f.square for f in faces)
    )
