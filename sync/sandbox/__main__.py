"""`python -m sync.sandbox`: the sandbox peers until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sync.clock import BusinessClock, parse_clock
from sync.sandbox.erps import NAMES as ERPS
from sync.sandbox.journeys import JourneyMix
from sync.sandbox.server import SandboxPeers, SandboxSettings


def main(arguments: list[str] | None = None) -> int:
    """Run the peers; 0 after a clean end, 2 for settings that cannot be used."""
    given = _parser().parse_args(arguments)
    # Blocked and waited for, not handled: a handler that sets an event may run while that event is being locked.
    ending = {signal.SIGTERM, signal.SIGINT}
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        with SandboxPeers(_settings(given)) as peers:
            _tell_ready(peers, given.ready_file)
            signal.sigwait(ending)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return 0


def _parser() -> argparse.ArgumentParser:
    default = SandboxSettings()
    parser = argparse.ArgumentParser(prog="python -m sync.sandbox", description=main.__doc__)
    for peer in ("carrier", "sf", "kuaidi100", "erp", "notice"):
        parser.add_argument(f"--{peer}-port", type=int, default=0, help="0: the system chooses")
    parser.add_argument("--sf-callback-url", default="", help="receiver of SF's pushes (http)")
    parser.add_argument("--callback-url", default="", help="receiver of pushes (http)")
    parser.add_argument("--clock", type=parse_clock, default=BusinessClock(), help="ORIGIN@STARTEDxSPEED")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--ebusiness-id", default=default.ebusiness_id)
    parser.add_argument("--app-key", default=default.app_key)
    parser.add_argument("--sf-partner-id", default=default.sf_partner_id)
    parser.add_argument("--sf-checkword", default=default.sf_checkword)
    parser.add_argument("--kuaidi100-key", default=default.kuaidi100_key)
    parser.add_argument("--kuaidi100-secret", default=default.kuaidi100_secret)
    parser.add_argument("--kuaidi100-customer", default=default.kuaidi100_customer)
    parser.add_argument("--erp", default=default.erp, help=f"which one: {', '.join(ERPS)}")
    parser.add_argument("--erp-token", default=default.erp_token, help="its secret, whatever it calls that")
    parser.add_argument("--unknown-skus", default="", help="comma-separated SKUs that the ERP refuses")
    parser.add_argument("--on-hand", type=int, default=0, help="pieces of each SKU that lie in the ERP's warehouses")
    parser.add_argument("--stale-count", type=int, default=0, help="waybills that are never picked up")
    parser.add_argument("--late-count", type=int, default=0, help="waybills picked up after more than 50 hours")
    parser.add_argument("--pickup-pushes", action="store_true", help="push 103 as well at pickup")
    parser.add_argument("--faults", type=json.loads, default={}, help="JSON: carrier, erp, notices, push")
    parser.add_argument("--ready-file", type=Path, help="gets the ports as JSON once all of them listen")
    return parser


def _settings(given: argparse.Namespace) -> SandboxSettings:
    return SandboxSettings(
        carrier_port=given.carrier_port,
        sf_port=given.sf_port,
        kuaidi100_port=given.kuaidi100_port,
        sf_callback_url=given.sf_callback_url,
        erp_port=given.erp_port,
        notice_port=given.notice_port,
        callback_url=given.callback_url,
        clock=given.clock,
        seed=given.seed,
        ebusiness_id=given.ebusiness_id,
        app_key=given.app_key,
        sf_partner_id=given.sf_partner_id,
        sf_checkword=given.sf_checkword,
        kuaidi100_key=given.kuaidi100_key,
        kuaidi100_secret=given.kuaidi100_secret,
        kuaidi100_customer=given.kuaidi100_customer,
        erp=given.erp,
        erp_token=given.erp_token,
        unknown_skus=frozenset(filter(None, given.unknown_skus.split(","))),
        on_hand=given.on_hand,
        mix=JourneyMix(stale_count=given.stale_count, late_count=given.late_count),
        sends_pickups=given.pickup_pushes,
        faults=given.faults,
    )


def _tell_ready(peers: SandboxPeers, ready_file: Path | None) -> None:
    ready: dict[str, Any] = {
        "pid": os.getpid(),
        "ports": peers.ports(),
        "carrier_url": peers.carrier_url,
        "sf_url": peers.sf_url,
        "kuaidi100_urls": {name: peers.kuaidi100_url(name) for name in ("order", "query", "subscribe")},
        "erp_url": peers.erp_url,
        "notice_url": peers.notice_url,
    }
    text = json.dumps(ready, indent=2)
    if ready_file:
        # Written whole or not at all: whoever waits for the file may read it at once.
        draft = ready_file.with_name(ready_file.name + ".new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(ready_file)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
