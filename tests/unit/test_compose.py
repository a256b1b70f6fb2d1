"""The deployment files: docker-compose.yml, the settings example, and what prepares them."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync import settings as settings_module
from sync.cli_worker import queues_of
from sync.settings import Settings, read_settings
from sync.settings_reader import Reader

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (ROOT / "deploy/ecsync.env.example").read_text(encoding="utf-8")

QUEUES = {"carrier.kdniao", "erp.generic_rest", "shop.main", "callbacks", "sweeps", "notices"}
SERVING = {"postgres", "redis", "rabbitmq", "web", "flower", "prometheus", "grafana"}
FILLED_IN = {
    "ECSYNC_SHOP_MAIN_DSN": "mysql+pymysql://ecsync:x@127.0.0.1:3306/ecshop",
    "ECSYNC_CARRIER_KDNIAO_EBUSINESS_ID": "test1617571",
    "ECSYNC_CARRIER_KDNIAO_APP_KEY": "x",
    "ECSYNC_ERP_GENERIC_REST_BASE_URL": "https://erp.example.com",
    "ECSYNC_ERP_GENERIC_REST_TOKEN": "x",
    "ECSYNC_SENDER_NAME": "仓库",
    "ECSYNC_SENDER_PHONE": "13800138000",
    "ECSYNC_SENDER_PROVINCE": "浙江",
    "ECSYNC_SENDER_CITY": "杭州",
    "ECSYNC_SENDER_DISTRICT": "西湖区",
    "ECSYNC_SENDER_ADDRESS": "龙井路 1 号",
}

A_SECOND_SHOP = {
    "ECSYNC_SHOPS": "main,outlet",
    "ECSYNC_SHOP_OUTLET_DSN": "mysql+pymysql://ecsync:x@127.0.0.1:3306/outlet",
}
A_SECOND_CARRIER = {
    "ECSYNC_CARRIERS": "kdniao,kuaidi100",
    "ECSYNC_CARRIER_KUAIDI100_ENVIRONMENT": "production",
    "ECSYNC_CARRIER_KUAIDI100_KEY": "x",
    "ECSYNC_CARRIER_KUAIDI100_SECRET": "x",
    "ECSYNC_CARRIER_KUAIDI100_CUSTOMER": "x",
    "ECSYNC_CARRIER_KUAIDI100_SALT": "a-salt-that-is-long-enough",
    "ECSYNC_CARRIER_KUAIDI100_CALLBACK_URL": "https://ecsync.example.com/callbacks/kuaidi100/x",
}


def words(service: Mapping[str, Any]) -> list[str]:
    """The command as an argument list, as Docker splits it."""
    command = service.get("command", "")
    return list(command) if isinstance(command, list) else shlex.split(command)


def is_worker(service: Mapping[str, Any]) -> bool:
    return words(service)[:2] == ["ecsync", "worker"]


def is_ours(service: Mapping[str, Any]) -> bool:
    return "build" in service


WORKERS = [name for name, service in SERVICES.items() if is_worker(service)]
OURS = [name for name, service in SERVICES.items() if is_ours(service)]


def test_the_house_is_complete() -> None:
    assert {"migrate", "web", "beat", *SERVING, *WORKERS} == set(SERVICES)
    assert set(OURS) == {"migrate", "web", "beat", "flower", *WORKERS}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_comes_back_by_itself_and_keeps_its_log_small(name: str) -> None:
    assert SERVICES[name]["restart"] == ("on-failure" if name == "migrate" else "unless-stopped")
    assert SERVICES[name]["stop_grace_period"] == "60s"
    assert SERVICES[name]["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", sorted(SERVING))
def test_what_serves_says_whether_it_is_well(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@pytest.mark.parametrize(
    ("more", "queues"),
    [({}, set()), (A_SECOND_CARRIER, {"carrier.kuaidi100"}), (A_SECOND_SHOP, {"shop.outlet"})],
    ids=["as-in-the-example", "a-second-carrier", "a-second-shop"],
)
def test_the_workers_cover_exactly_the_queues_and_none_twice(more: dict[str, str], queues: set[str]) -> None:
    settings = read(example(with_defaults=False), **more)
    served = [queue for name in WORKERS for queue in queues_of(settings, family(name).split(","))]

    assert sorted(served) == sorted(QUEUES | queues)


def family(name: str) -> str:
    return words(SERVICES[name])[2]


def option(name: str, flag: str) -> str:
    return words(SERVICES[name])[words(SERVICES[name]).index(flag) + 1]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_stops_softly_and_keeps_its_counters_to_itself(name: str) -> None:
    service = SERVICES[name]

    assert service["environment"]["REMAP_SIGTERM"] == "SIGQUIT"
    assert service["environment"]["ECSYNC_PROCESS_NAME"] == name
    assert service["init"] is True
    assert int(option(name, "--concurrency")) >= 1


def test_no_two_workers_have_one_name() -> None:
    assert len({family(name) for name in WORKERS}) == len(WORKERS)


def test_the_other_commands_are_the_agreed_ones() -> None:
    assert words(SERVICES["migrate"]) == ["ecsync", "migrate"]
    assert words(SERVICES["web"]) == ["gunicorn", "-c", "deploy/gunicorn.conf.py", "sync.web.app:create_app()"]
    assert words(SERVICES["beat"]) == shlex.split("celery -A tasks.app beat --schedule /var/lib/ecsync/beat")
    flower = "celery -A tasks.app flower --address=0.0.0.0 --port=5555 --max_tasks=10000 --purge_offline_workers=300"
    assert words(SERVICES["flower"]) == [*shlex.split(flower), "--conf=deploy/flowerconfig.py"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_port_is_open_to_the_world(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port
    assert SERVICES[name].get("network_mode") != "host"


def test_the_database_and_the_broker_are_reachable_by_the_app_alone() -> None:
    assert COMPOSE["networks"]["data"]["internal"] is True
    for name in ("postgres", "redis", "rabbitmq"):
        assert SERVICES[name]["networks"] == ["data"]
        assert "ports" not in SERVICES[name]
    assert [name for name, service in SERVICES.items() if "default" in service["networks"]] == [
        *OURS,
        "prometheus",
        "grafana",
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_to_a_version(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?", SERVICES[name]["image"])


def test_the_image_is_built_as_an_ordinary_user_from_hashes() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")

    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"python:3.12-slim-bookworm"}
    assert "--require-hashes" in dockerfile
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE) == ["ecsync"]
    assert "--hash=sha256:" in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_what_the_image_copies_passes_the_ignore_file() -> None:
    ignore = (ROOT / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = {"requirements.lock", "deploy/gunicorn.conf.py", "deploy/flowerconfig.py"}
    built = {"pyproject.toml", "README.md", "LICENSE", "celeryconfig.py", "mappings", "sync", "tasks"}

    assert "*" in ignore
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == copied | built


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_little_harm(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_redis_never_evicts_and_writes_through() -> None:
    command = " ".join(words(SERVICES["redis"]))

    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes --appendfsync everysec" in command


def test_secrets_come_from_files_that_git_ignores() -> None:
    ignored = (ROOT / "deploy/.gitignore").read_text(encoding="utf-8").split()

    assert {"/ecsync.env", "/secrets/"} <= set(ignored)
    assert all(secret["file"].startswith("deploy/secrets/") for secret in COMPOSE["secrets"].values())
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            is_secret = re.search("PASSWORD|TOKEN|KEY|DATABASE_URL|DSN", variable)
            assert not is_secret or value.startswith("/run/secrets/"), f"{name}: {variable}"


def test_migrations_run_once_before_anything_else_of_ours() -> None:
    for name in OURS:
        needs = SERVICES[name]["depends_on"]
        assert needs["postgres"]["condition"] == "service_healthy"
        if name != "migrate":
            assert needs["migrate"]["condition"] == "service_completed_successfully"
            assert needs["redis"]["condition"] == "service_healthy"


def test_all_processes_count_in_one_place() -> None:
    for name in OURS:
        directory = SERVICES[name]["environment"]["ECSYNC_METRICS_DIR"]
        assert f"metrics:{directory}" in SERVICES[name]["volumes"]


# --- the settings example


def example(*, with_defaults: bool) -> dict[str, str]:
    """The example as read: its open lines, and on demand the lines that show a default."""
    pattern = r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$" if with_defaults else r"^([A-Z][A-Z0-9_]+)=(.*)$"
    return dict(re.findall(pattern, EXAMPLE, re.MULTILINE))


def read(values: Mapping[str, str], **more: str) -> Settings:
    return read_settings({**values, **FILLED_IN, **more})


def test_the_example_starts_once_its_blanks_are_filled_in() -> None:
    settings = read(example(with_defaults=False))

    assert [peer.key for peer in settings.peers] == ["shop.main", "carrier.kdniao", "erp.generic_rest"]
    assert {peer.key for peer in settings.peers} | {"callbacks", "sweeps", "notices"} == QUEUES


def test_the_blanks_to_fill_in_are_all_there() -> None:
    assert {name for name in FILLED_IN if example(with_defaults=False).get(name) != ""} == set()


def test_the_defaults_it_shows_are_the_defaults() -> None:
    assert read(example(with_defaults=True)) == read(example(with_defaults=False))


def test_it_shows_every_setting_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    readers: list[Reader] = []

    class Remembering(Reader):
        def __init__(self, environ: Mapping[str, str]) -> None:
            super().__init__(environ)
            readers.append(self)

    monkeypatch.setattr(settings_module, "Reader", Remembering)
    read(example(with_defaults=False))
    known = {name for name in readers[0].known if not name.endswith("_FILE")} - {"ECSYNC_SANDBOX_CLOCK"}

    assert known - set(example(with_defaults=True)) == set()


def test_every_setting_is_explained_in_both_languages() -> None:
    for block in re.findall(r"((?:^# [^\n]+\n)+)(?=(?:# )?[A-Z][A-Z0-9_]+=)", EXAMPLE, re.MULTILINE):
        assert re.search(r"[\u4e00-\u9fff]", block), block
        assert re.search(r"[A-Za-z]{2}", block), block


def test_compose_sets_only_variables_that_something_reads() -> None:
    values = {**example(with_defaults=False), **FILLED_IN}
    for name in OURS:
        mine = {key: value for key, value in SERVICES[name]["environment"].items() if key.startswith("ECSYNC_")}
        mine["ECSYNC_DATABASE_URL"] = "sqlite://"
        del mine["ECSYNC_DATABASE_URL_FILE"]
        assert read_settings({**values, **mine}).metrics_dir == "/var/lib/ecsync-metrics"


# --- the programs' own configuration


def test_gunicorn_listens_here_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECSYNC_WEB_BIND", raising=False)
    config = runpy.run_path(str(ROOT / "deploy/gunicorn.conf.py"))
    assert config["bind"] == "127.0.0.1:8600"
    assert (config["workers"], config["worker_class"], config["threads"]) == (2, "gthread", 8)
    assert config["accesslog"] is None

    monkeypatch.setenv("ECSYNC_WEB_BIND", "0.0.0.0:9")
    assert runpy.run_path(str(ROOT / "deploy/gunicorn.conf.py"))["bind"] == "0.0.0.0:9"


@pytest.mark.parametrize("password", [None, "", "no-colon"])
def test_flower_does_not_start_without_a_password(password: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if password is None:
        monkeypatch.delenv("FLOWER_BASIC_AUTH", raising=False)
    else:
        monkeypatch.setenv("FLOWER_BASIC_AUTH", password)

    with pytest.raises(SystemExit, match="FLOWER_BASIC_AUTH"):
        runpy.run_path(str(ROOT / "deploy/flowerconfig.py"))


def test_flower_looks_and_does_not_touch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "ops:x")

    assert runpy.run_path(str(ROOT / "deploy/flowerconfig.py"))["read_only"] is True


def test_preparing_makes_every_secret_once_and_keeps_it(tmp_path: Path) -> None:
    for name in ("prepare.sh", "ecsync.env.example"):
        shutil.copy(ROOT / "deploy" / name, tmp_path)

    subprocess.run(["sh", str(tmp_path / "prepare.sh")], check=True, capture_output=True, timeout=30)
    made = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "secrets").iterdir()}
    env = (tmp_path / "ecsync.env").read_text(encoding="utf-8")
    subprocess.run(["sh", str(tmp_path / "prepare.sh")], check=True, capture_output=True, timeout=30)

    assert {f"deploy/secrets/{name}" for name in made} == {
        *(secret["file"] for secret in COMPOSE["secrets"].values()),
        SERVICES["rabbitmq"]["env_file"][0]["path"],
    }
    assert made == {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "secrets").iterdir()}
    assert env == (tmp_path / "ecsync.env").read_text(encoding="utf-8")
    assert made["database_url"] == f"postgresql+psycopg2://ecsync:{made['postgres_password']}@postgres:5432/ecsync"
    assert len(made["postgres_password"]) == 48
    assert re.search(r"^FLOWER_BASIC_AUTH=ops:[0-9a-f]{48}$", env, re.MULTILINE)
    assert re.search(r"^ECSYNC_CALLBACK_TOKEN=[0-9a-f]{48}$", env, re.MULTILINE)
    assert oct(os.stat(tmp_path / "secrets").st_mode & 0o777) == "0o700"
    assert oct(os.stat(tmp_path / "ecsync.env").st_mode & 0o777) == "0o600"
