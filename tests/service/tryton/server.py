"""A real Tryton on this machine: installed from PyPI by pinned hashes, a database of its own, served on loopback.

What takes a minute and is the same each time is kept for the next run: the installed programs in `build/`, and in
PostgreSQL a template of the database, under a name that changes with everything that it is made of.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from sync.local.broker import free_port
from tests.chaos.processes import wait_for
from tests.services import POSTGRES, fresh_postgres, need_port, skip_or_fail

HERE = Path(__file__).parent
BUILD = Path(__file__).parents[3] / "build"
LOCK = HERE / "requirements.lock"
MODULES = ("sale", "stock", "web_shop")
WEB_SHOP, WAREHOUSE = "ECShop", "北京仓"
"""As `prepare.py` calls them."""

TEMPLATES = "ecsync_test_tryton_"
_TEMPLATES = text("SELECT datname FROM pg_database WHERE starts_with(datname, :prefix)")
_COMMENT = text("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = :name")

INSTALL_S, MAKE_S, START_S, STOP_S = 240, 900, 120, 30
"""Tens of seconds each where the cores are idle; a machine that tests something else beside it takes ten times that."""


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
            "FREIGHT_SKU": "FREIGHT",
            "DISCOUNT_SKU": "DISCOUNT",
            "READ_TIMEOUT_S": "60",
        }
        return {f"ECSYNC_ERP_TRYTON_{name}": value for name, value in {**usual, **changes}.items()}


@contextmanager
def running_tryton(goods: Mapping[str, int]) -> Iterator[Tryton]:
    """Installed, made and started; stopped at the end, with its database dropped. Skips or fails without network."""
    need_port("PostgreSQL", POSTGRES)
    tools = _install()
    with _database(tools, goods) as (postgres, made):
        name = str(make_url(postgres).database)
        with _serving(tools, postgres, made["keys"]["ecsync"]) as address:
            yield Tryton(address, name, goods=goods, **made)


def _own_environ(postgres: str = "") -> dict[str, str]:
    """This process's variables but those that would change which Python code Tryton's loads; and its database."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRYTOND_", "COV_"))}
    if not postgres:
        return own
    url = make_url(postgres).set(drivername="postgresql")
    return {**own, "TRYTOND_DATABASE_URI": url.render_as_string(hide_password=False)}


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


@contextmanager
def _database(tools: Path, goods: Mapping[str, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A copy of the template, dropped at the end, and what `_make` said of it; the template is made where it lacks."""
    parts = (LOCK.read_bytes(), (HERE / "prepare.py").read_bytes(), repr((MODULES, sorted(goods.items()))).encode())
    template = TEMPLATES + hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    admin = create_engine(POSTGRES, isolation_level="AUTOCOMMIT", poolclass=NullPool)  # a lock ends with its connection
    with ExitStack() as stack:
        with admin.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": TEMPLATES})  # other runs wait
            said = connection.execute(_COMMENT, {"name": template}).scalar()
            if said is None:
                said = json.dumps(_make_template(connection, tools, template, goods))
            postgres = stack.enter_context(fresh_postgres(template))
        _hurry(postgres)
        yield postgres, json.loads(said)


def _make_template(connection: Connection, tools: Path, name: str, goods: Mapping[str, int]) -> dict[str, Any]:
    """Older ones go. The comment comes last: a database without one was left half-made."""
    for (older,) in connection.execute(_TEMPLATES, {"prefix": TEMPLATES}).all():
        connection.execute(text(f"DROP DATABASE {older} WITH (FORCE)"))
    connection.execute(text(f"CREATE DATABASE {name}"))
    postgres = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    _hurry(postgres)
    made = _make(tools, postgres, goods)
    connection.exec_driver_sql(f"COMMENT ON DATABASE {name} IS '{json.dumps(made)}'")
    return made


def _hurry(postgres: str) -> None:
    """Nothing in this database outlives the tests, so no commit waits for the disk; and compiling Tryton's questions
    about its own tables takes PostgreSQL minutes longer than answering them."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("synchronous_commit", "jit"):
            connection.execute(text(f"ALTER DATABASE {engine.url.database} SET {setting} TO off"))
    engine.dispose()


def _make(tools: Path, postgres: str, goods: Mapping[str, int]) -> dict[str, Any]:
    """The modules and a small company with these goods on its shelves."""
    database, environ = str(make_url(postgres).database), _own_environ(postgres)
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
def _serving(tools: Path, postgres: str, key: str) -> Iterator[str]:
    """The address, once Tryton answers there: several processes of it, as in production, so that orders that come at
    the same moment meet in the database."""
    database, port = str(make_url(postgres).database), free_port()
    door = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "8", "--no-control-socket"]
    server = subprocess.Popen(
        [str(tools / "gunicorn"), *door, "trytond.application:app"],
        # Tryton's own worker would make shipments of what is confirmed; none runs, a test does it when it wants
        env={**_own_environ(postgres), "TRYTOND_DATABASE_NAMES": database, "TRYTOND_QUEUE__WORKER": "True"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for("an answer of Tryton", lambda: server.poll() is not None or _answers(url, database, key), START_S)
        assert server.poll() is None, "trytond ended at its start"
        yield url
    finally:
        server.send_signal(signal.SIGQUIT)  # it takes its processes with it, at once
        server.wait(STOP_S)


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
