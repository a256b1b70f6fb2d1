"""`ecsync secrets …`: make a key, and encrypt a value for the settings with it. Neither reads any other setting."""

from __future__ import annotations

import os
import sys

import click

from sync.secrets_box import KEY, SecretsBox, new_key
from sync.settings import SettingsError, read_secrets_key


@click.group()
def secrets() -> None:
    """Settings that stand encrypted in a file."""


@secrets.command("new-key")
def _new_key() -> None:
    """Print a fresh key; give it to ecsync as ECSYNC_SECRETS_KEY, apart from the settings file."""
    click.echo(new_key())


@secrets.command("encrypt")
def _encrypt() -> None:
    """Print what to write instead of a secret value; it is read from a hidden prompt, or from standard input."""
    try:
        keys = read_secrets_key(os.environ)
        if not keys:
            raise ValueError("is not set; make one with `ecsync secrets new-key`")
        box = SecretsBox(keys)
    except (ValueError, SettingsError) as problem:
        click.echo(f"{KEY}: {problem}", err=True)
        sys.exit(1)
    value = click.prompt("Value", hide_input=True) if sys.stdin.isatty() else sys.stdin.read().rstrip("\n")
    if not value:
        click.echo("Nothing was given to encrypt.", err=True)
        sys.exit(1)
    click.echo(box.encrypt(value))
