"""What a plugin adds to a deployment, as frozen values by theme; the core renders and enforces them."""

from comptoir.contributions.contribution import Column, Contribution, NamedContribution
from comptoir.contributions.pages import Parameter, Route, View
from comptoir.contributions.parts import Action, Fact, Kpi, MenuItem, Panel, Tab, Tile
from comptoir.contributions.reports import Report, ReportColumn, ReportResult
from comptoir.contributions.rights import ACTIONS, SCOPES, Manifest, Permission, RoleTemplate
from comptoir.contributions.rules import Rules
from comptoir.contributions.screens import Board, Form, List, Saved, ScreenAddition, Screens, Section
from comptoir.contributions.work import Command, DeferredWork, Job

__all__ = [
    "ACTIONS",
    "SCOPES",
    "Action",
    "Board",
    "Column",
    "Command",
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
    "Report",
    "ReportColumn",
    "ReportResult",
    "RoleTemplate",
    "Route",
    "Rules",
    "Saved",
    "ScreenAddition",
    "Screens",
    "Section",
    "Tab",
    "Tile",
    "View",
]
