"""The tables that stand as TOML beside the code: what a person reads and extends without knowing Python."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any


def read_table(package: str, name: str) -> dict[str, Any]:
    """The file `name` of a package, whole."""
    return tomllib.loads(files(package).joinpath(name).read_text("utf-8"))


def path_of(package: str, name: str) -> str:
    """Where a person finds that file: `mappings/carriers/sf/results.toml`."""
    return f"{package.replace('.', '/')}/{name}"
