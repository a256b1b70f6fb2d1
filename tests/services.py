"""Which real services the tests may use: named by variables, with localhost defaults.

A missing one is skipped with its reason, or is a failure when ECSYNC_REQUIRE_SERVICES=1.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

POSTGRES = os.environ.get("ECSYNC_TEST_POSTGRES_URL", "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")
# Without TLS: PyMySQL would read the system's certificates anew for each connection, which takes longer than a test.
MARIADB = os.environ.get("ECSYNC_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/?ssl_disabled=1")
REDIS = os.environ.get("ECSYNC_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
RABBITMQ = os.environ.get("ECSYNC_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
PHP = os.environ.get("ECSYNC_TEST_PHP", "php")


def skip_or_fail(reason: str) -> None:
    """Skip the test for want of a service, or fail where services are required."""
    if os.environ.get("ECSYNC_REQUIRE_SERVICES") == "1":
        pytest.fail(f"ECSYNC_REQUIRE_SERVICES=1, but {reason}")
    pytest.skip(reason)


def need_port(name: str, url: str) -> str:
    """The address of a service that accepts connections; skips or fails otherwise."""
    if not _answers(url):
        skip_or_fail(f"no {name} answers at {urlsplit(url).hostname}:{urlsplit(url).port}")
    return url


def need_php() -> str:
    """The path of a PHP on the command line that reaches MySQL; skips or fails otherwise."""
    path = shutil.which(PHP)
    if path is None or not _reaches_mysql(path):
        skip_or_fail(f"no PHP with mysqli is installed as {PHP}")
    return str(path)


@cache
def _reaches_mysql(php: str) -> bool:
    script = "exit(function_exists('mysqli_init') ? 0 : 1);"
    return subprocess.run([php, "-r", script], capture_output=True, timeout=30, check=False).returncode == 0


@cache
def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=2).close()
    except OSError:
        return False
    return True


@contextmanager
def fresh_postgres(template: str = "template1") -> Iterator[str]:
    """The address of a new PostgreSQL database, empty or a copy of `template`, dropped at the end."""
    need_port("PostgreSQL", POSTGRES)
    name = f"ecsync_test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    except OperationalError as problem:
        admin.dispose()
        skip_or_fail(f"PostgreSQL refuses: {problem.orig}")
    try:
        yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
