"""`ecsync carriers …`: how the carriers stand, and the switches that stop, empty or prefer one."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from sync.runtime import Runtime
from sync.services.switch_carriers import Wish, parse_until, read_switchboard, switch

Say = Callable[[Any, Sequence[str]], None]

_with_reason = click.option("--reason", required=True, help="Why; kept in the audit table and shown on the console.")
_with_until = click.option("--until", help="When it ends by itself: 30m, 2h, 3d or 2026-12-01T18:00 (Beijing time).")
_of_target = click.argument("target", metavar="CARRIER[/COURIER|/ACCOUNT]")


def list_(rt: Runtime, say: Say) -> None:
    """How every carrier stands, and what is switched off, until when and why."""
    found = read_switchboard(rt)
    lines = []
    for row in found["carriers"]:
        default = ", the default" if row["is_default"] else ""
        left = ", away for so long that parcels go elsewhere" if row["is_left"] else ""
        lines.append(f"{row['carrier']}{default}: {row['door']}{left}, {row['owed']} parcels owed a waybill")
    lines += [
        f"  {row['what']}: {row['mode']} since {row['since'][:16]} until {(row['until'] or 'resumed')[:16]} UTC "
        f"by {row['actor']}: {row['reason']}"
        for row in found["switches"]
    ]
    say(found, lines)


@_of_target
@_with_reason
@_with_until
def pause(rt: Runtime, say: Say, target: str, reason: str, until: str | None) -> None:
    """Make no call to it: parcels nobody was asked for go to the next rule, all others wait."""
    _do(rt, say, "pause", target, reason, until)


@_of_target
@_with_reason
@_with_until
def drain(rt: Runtime, say: Say, target: str, reason: str, until: str | None) -> None:
    """Send it nothing new: parcels that it has, or may have, go on."""
    _do(rt, say, "drain", target, reason, until)


@_of_target
@_with_reason
def resume(rt: Runtime, say: Say, target: str, reason: str) -> None:
    """End a pause or a drain; `default` takes back the switched default carrier."""
    _do(rt, say, "resume", target, reason, None)


@click.argument("carrier")
@_with_reason
@_with_until
def default(rt: Runtime, say: Say, carrier: str, reason: str, until: str | None) -> None:
    """Name the carrier for parcels that no rule fits."""
    _do(rt, say, "default", carrier, reason, until)


def _do(rt: Runtime, say: Say, action: str, target: str, reason: str, until: str | None) -> None:
    wish = Wish(action, target, reason, getpass.getuser()[:40], parse_until(until) if until else None)
    said = switch(rt, wish)
    say({"done": said}, [f"{said}. Workers follow within 5 seconds."])


COMMANDS: Mapping[str, Callable[..., None]] = {
    "list": list_,
    "pause": pause,
    "drain": drain,
    "resume": resume,
    "default": default,
}
