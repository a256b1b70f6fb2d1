"""`ecsync worker …`: become a Celery worker for a family of queues, whatever peers are configured."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from sync.settings import Settings, SettingsError, load_settings

KINDS = {"carriers": "carrier", "erps": "erp", "shops": "shop"}
"""A queue is called like its peer, so these families grow with the settings."""
SINGLE = ("callbacks", "sweeps", "notices")
FAMILIES = (*KINDS, *SINGLE)


def queues_of(settings: Settings, families: Sequence[str]) -> list[str]:
    """The queues of these families, in the order of the settings; a family without a peer has none."""
    named: list[str] = []
    for family in families:
        kind = KINDS.get(family)
        named += [family] if kind is None else [peer.key for peer in settings.peers if peer.kind == kind]
    return named


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]})
@click.argument("families")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def worker(families: str, options: tuple[str, ...]) -> None:
    """Serve the queues of FAMILIES, comma-separated: carriers, erps, shops, callbacks, sweeps, notices.

    This process becomes `celery -A tasks.app worker` with their queues, a name, and events for Flower; OPTIONS are
    Celery's own, such as --concurrency 4.
    """
    wanted = families.split(",")
    if unknown := [family for family in wanted if family not in FAMILIES]:
        raise click.BadParameter(f"no family is called {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    try:
        queues = queues_of(load_settings(), wanted)
    except SettingsError as problem:
        raise click.ClickException(str(problem)) from problem
    if not queues:
        raise click.ClickException(f"Nothing is configured for {families}, so a worker would have nothing to do.")
    celery = str(Path(sys.executable).with_name("celery"))
    name = f"{families.replace(',', '-')}@%h"
    words = ["-A", "tasks.app", "worker", "-Q", ",".join(queues), "-n", name, "--without-mingle", "--without-gossip"]
    os.execv(celery, [celery, *words, "-E", *options])  # noqa: S606 no shell: arguments must stay as they were given
