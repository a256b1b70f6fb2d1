"""A real Tryton on this machine: installed from PyPI by pinned hashes, its database made anew, served on loopback."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from sync.local.broker import free_port
from tests.chaos.processes import wait_for
from tests.services import fresh_postgres, skip_or_fail

HERE = Path(__file__).parent
BUILD = Path(__file__).parents[3] / "build"
LOCK = HERE / "requirements.lock"
MODULES = ("sale", "stock", "web_shop")
WEB_SHOP, WAREHOUSE = "ECShop", "北京仓"
"""As `prepare.py` calls them."""

INSTALL_S, MAKE_S, START_S = 240, 500, 120


@dataclass(frozen=True, slots=True)
class Tryton:
    """A running server; `keys` maps a user's login to the key of its REST application."""

    url: str
    database: str
    keys: Mapping[str, str]
    party: str
    guest: str
    goods: Mapping[str, int]

    def settings(self, **changes: str) -> dict[str, str]:
        """What a house sets to push its orders here."""
        usual = {
            "BASE_URL": self.url,
            "DATABASE": self.database,
            "KEY": self.keys["ecsync"],
            "WEB_SHOP": WEB_SHOP,
            "PARTY": self.party,
            "READ_TIMEOUT_S": "60",
        }
        return {f"ECSYNC_ERP_TRYTON_{name}": value for name, value in {**usual, **changes}.items()}


@contextmanager
def running_tryton(goods: Mapping[str, int]) -> Iterator[Tryton]:
    """Installed, made and started; stopped at the end, with its database dropped. Skips or fails without network."""
    with fresh_postgres() as postgres:
        tools = _install()
        _hurry(postgres)
        url = make_url(postgres).set(drivername="postgresql")
        environ = {**_own_environ(), "TRYTOND_DATABASE_URI": url.render_as_string(hide_password=False)}
        made = _make(tools, str(url.database), environ, goods)
        with _serving(tools, str(url.database), made["keys"]["ecsync"], environ) as address:
            yield Tryton(address, str(url.database), goods=goods, **made)


def _own_environ() -> dict[str, str]:
    """This process's variables but those that would change which Python code Tryton's loads."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRYTOND_", "COV_"))}


def _install() -> Path:
    """The programs of an environment that holds exactly the lock file, made once for each version of it."""
    home = BUILD / "tryton-venv"
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "tryton-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = home / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(home, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(home)], INSTALL_S)
            install = [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            said = _run([*install, "--require-hashes", "-r", str(LOCK)], INSTALL_S, may_fail=True)
            if said.returncode:
                skip_or_fail(f"Tryton cannot be installed from PyPI: {said.stderr.strip().splitlines()[-1:]}")
            stamp.write_text(wanted)
    return home / "bin"


def _hurry(postgres: str) -> None:
    """Nothing in this database outlives the tests, so no commit waits for the disk; and compiling Tryton's questions
    about its own tables takes PostgreSQL minutes longer than answering them."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("synchronous_commit", "jit"):
            connection.execute(text(f"ALTER DATABASE {engine.url.database} SET {setting} TO off"))
    engine.dispose()


def _make(tools: Path, database: str, environ: dict[str, str], goods: Mapping[str, int]) -> dict[str, Any]:
    """The modules and a small company with these goods on its shelves."""
    admin = [str(tools / "trytond-admin"), "-d", database, "--email", "admin@example.com", "--activate-dependencies"]
    with tempfile.NamedTemporaryFile("w", suffix=".password") as password:
        password.write("of nobody who logs in\n")
        password.flush()
        _run([*admin, "-u", *MODULES], MAKE_S, environ={**environ, "TRYTONPASSFILE": password.name})
    given = json.dumps({"goods": dict(goods)})
    said = _run([str(tools / "python"), str(HERE / "prepare.py")], MAKE_S, environ=environ, given=given)
    made: dict[str, Any] = json.loads(said.stdout)
    return made


@contextmanager
def _serving(tools: Path, database: str, key: str, environ: dict[str, str]) -> Iterator[str]:
    """The address, once Tryton has loaded its modules: calls at the same time would load them over each other."""
    port = free_port()
    server = subprocess.Popen(
        [str(tools / "trytond"), "-d", database],
        # as in production a worker would make shipments of what is confirmed; none runs, a test does it when it wants
        env={**environ, "TRYTOND_WEB__LISTEN": f"127.0.0.1:{port}", "TRYTOND_QUEUE__WORKER": "True"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for("an answer of Tryton", lambda: server.poll() is not None or _answers(url, database, key), START_S)
        assert server.poll() is None, "trytond ended at its start"
        yield url
    finally:
        server.kill()
        server.wait()


def _answers(url: str, database: str, key: str) -> bool:
    call = urllib.request.Request(f"{url}/{database}/rest/model/web.shop", headers={"Authorization": f"Bearer {key}"})
    try:
        urllib.request.urlopen(call, timeout=START_S).close()
    except OSError:
        return False
    return True


def _run(
    command: list[str],
    seconds: float,
    *,
    environ: dict[str, str] | None = None,
    given: str | None = None,
    may_fail: bool = False,
) -> subprocess.CompletedProcess[str]:
    said = subprocess.run(
        command,
        env=environ or _own_environ(),
        input=given,
        capture_output=True,
        text=True,
        stdin=None if given is not None else subprocess.DEVNULL,
        timeout=seconds,
        check=False,
    )
    if said.returncode and not may_fail:
        raise AssertionError(f"{' '.join(command[:3])} failed:\n{said.stderr[-3000:]}")
    return said
