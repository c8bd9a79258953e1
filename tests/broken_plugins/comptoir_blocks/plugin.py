"""Asks a tariff service that does not answer, outside Python where nothing can be raised: at each save and on the start page."""

import os
from datetime import timedelta

from comptoir.base.models import Contact, Task
from comptoir.toolkit import Every, Job, Manifest, Rules, Tile, View, hookimpl, save

manifest = Manifest("Blocks")
answer, service = os.pipe()


def ask_the_service():
    os.read(answer, 1)


def check_contacts(ctx, changes):
    ask_the_service()


def tariff(ctx, options):
    ask_the_service()


def offer(visit):
    return "<p>Our offer</p>"


def fetch_tariff(ctx):
    save(ctx, [Task(title="Look at the tariff")])
    ask_the_service()


def count_for_ever(ctx):
    save(ctx, [Task(title="Count")])
    while True:
        pass


@hookimpl
def contribute():
    return [
        Rules(Contact, check=check_contacts),
        Tile("blocks.tariff", "Tariff", "base.contact.read", kpis=tariff),
        View("/offer", offer, "base.contact.read"),
        Job("blocks.fetch_tariff", fetch_tariff, Every(minutes=1)),
        Job("blocks.count", count_for_ever, Every(minutes=1), limit=timedelta(seconds=1)),
    ]
