"""Access rules inside the SQL compiler: whatever statement a user's session emits, it sees and changes only what it may.

Every ruled table in a FROM is rendered as a sub-select of the rows that the policy lets through, with hidden columns as
NULL; UPDATE and DELETE carry the rule in their WHERE; tables without a rule, text SQL, upserts and functions that are
not on the list are refused; a check after each flush refuses rows that were written outside the writer's scope.
One dialect per shape of policy keeps compiled SQL cacheable, and the user's id is a parameter read at execution.
"""

from comptoir.access.guard.policy import Policy
from comptoir.access.guard.rules import (
    AccessRefused,
    And,
    Attached,
    Everything,
    Instead,
    Nothing,
    Own,
    Pointing,
    Rule,
    TableRule,
    Team,
    Through,
    Where,
    me,
)

__all__ = [
    "AccessRefused", "And", "Attached", "Everything", "Instead", "Nothing", "Own", "Pointing", "Policy", "Rule", "TableRule",
    "Team", "Through", "Where", "me",
]  # fmt: skip
