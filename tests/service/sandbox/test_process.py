from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.sandbox.__main__ import main
from sync.sandbox.server import SandboxPeers, SandboxSettings
from tests.service.sandbox.by_hand import ask, waybill_order


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_program_tells_its_ports_serves_and_ends_cleanly_on_a_signal(tmp_path: Path, end: signal.Signals) -> None:
    ready_file = tmp_path / "ready.json"
    faults = json.dumps({"carrier": {"outage_first_calls": 1}})
    command = [sys.executable, "-W", "error", "-m", "sync.sandbox", "--ready-file", str(ready_file)]
    command += ["--faults", faults, "--stale-count", "2", "--clock", "2026-11-20T01:00:00Z@2026-11-20T01:00:00Zx2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while process.stdout.readline() not in ("}\n", ""):
                pass
            ready: dict[str, Any] = json.loads(ready_file.read_text(encoding="utf-8"))
            assert sorted(ready["ports"]) == ["carrier", "erp", "kuaidi100", "notices", "sf"]
            with requests.post(ready["carrier_url"], timeout=10) as reply:
                assert reply.status_code == 503
            assert ask(ready["carrier_url"], waybill_order())["ResultCode"] == "100"
            process.send_signal(end)
            _, errors = process.communicate(timeout=15)
            assert (process.returncode, errors) == (0, "")
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--faults", '{"carrier": {"explode": 1}}'], "explode"),
        (["--callback-url", "ftp://127.0.0.1/"], "http"),
    ],
)
def test_settings_that_cannot_be_used_are_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


def test_leaving_the_peers_leaves_no_thread_and_frees_every_port() -> None:
    before = set(threading.enumerate())
    with SandboxPeers() as peers:
        ask(peers.carrier_url, waybill_order())
        ports = peers.ports()
    assert set(threading.enumerate()) == before
    again = SandboxSettings(
        carrier_port=ports["carrier"],
        sf_port=ports["sf"],
        kuaidi100_port=ports["kuaidi100"],
        erp_port=ports["erp"],
        notice_port=ports["notices"],
    )
    with SandboxPeers(again) as peers:
        assert peers.ports() == ports


def test_a_port_in_use_leaves_nothing_running() -> None:
    before = set(threading.enumerate())
    with SandboxPeers() as peers:
        running = set(threading.enumerate())
        with pytest.raises(OSError, match="in use"), SandboxPeers(SandboxSettings(erp_port=peers.ports()["erp"])):
            pytest.fail("the port is taken")
        assert set(threading.enumerate()) == running
    assert set(threading.enumerate()) == before
