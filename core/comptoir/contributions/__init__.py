"""What a plugin adds to a deployment, as frozen values by theme; the core renders and enforces them."""

from comptoir.contributions.contribution import Column, Contribution, NamedContribution
from comptoir.contributions.pages import Parameter, Route, View
from comptoir.contributions.parts import Action, Composer, Fact, Kpi, MenuItem, Panel, Tab, Tile
from comptoir.contributions.rights import ACTIONS, SCOPES, Manifest, Permission, RoleTemplate
from comptoir.contributions.rules import Rules
from comptoir.contributions.screens import Board, Form, List, Saved, ScreenAddition, Screens, Section, When
from comptoir.contributions.work import SCHEDULED_BACKOFF, Backoff, Command, DeferredWork, Job, Progress, Step, Steps

__all__ = [
    "ACTIONS",
    "SCHEDULED_BACKOFF",
    "SCOPES",
    "Action",
    "Backoff",
    "Board",
    "Column",
    "Command",
    "Composer",
    "Contribution",
    "DeferredWork",
    "Fact",
    "Form",
    "Job",
    "Kpi",
    "List",
    "Manifest",
    "MenuItem",
    "NamedContribution",
    "Panel",
    "Parameter",
    "Permission",
    "Progress",
    "RoleTemplate",
    "Route",
    "Rules",
    "Saved",
    "ScreenAddition",
    "Screens",
    "Section",
    "Step",
    "Steps",
    "Tab",
    "Tile",
    "View",
    "When",
]
