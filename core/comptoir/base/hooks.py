"""The hooks that base owns: what happens with contacts."""

from __future__ import annotations

from comptoir.base.models import Interaction
from comptoir.toolkit import Context, hookspec


@hookspec
def on_interaction(ctx: Context, interaction: Interaction) -> None:
    """A call, mail, meeting, chat or note was added to the history of a contact, or of what it is about.

    Example: ``services.touch_lead(ctx, interaction.contact_id, interaction.about)``
    """
