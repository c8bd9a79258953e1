"""The one write path: every screen, API call, import, job and service changes records through these functions.

One save is one batch: prepare_* → field rules → check_* → flush → history → on_* → outbox; the unit of work commits.
"""

from comptoir.records.write.assign import assign
from comptoir.records.write.deletion import delete
from comptoir.records.write.moves import move
from comptoir.records.write.save import archive, restore, save

__all__ = ["archive", "assign", "delete", "move", "restore", "save"]
