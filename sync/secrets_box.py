"""Secrets at rest: a setting may be given as a token that only `ECSYNC_SECRETS_KEY` opens.

Fernet (AES-128-CBC with HMAC-SHA256). The key belongs where the settings file does not: an orchestrator's secret, or a
file that `ECSYNC_SECRETS_KEY_FILE` names. Several keys, by commas, while one is replaced: the first encrypts, all open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY = "ECSYNC_SECRETS_KEY"
PREFIX = "fernet:"


class SecretsBox:
    """Encrypts and opens. Raises ValueError, which shows neither key nor value."""

    def __init__(self, keys: str) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # 8 MB in every process, only where something is encrypted

        try:
            self._box: MultiFernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])
        except ValueError:
            raise ValueError("is no key: make one with `ecsync secrets new-key`") from None

    def encrypt(self, value: str) -> str:
        """The token to put where the value stood."""
        return PREFIX + self._box.encrypt(value.encode()).decode()

    def open(self, token: str) -> str:
        """The value of a token."""
        from cryptography.fernet import InvalidToken

        try:
            return self._box.decrypt(token.removeprefix(PREFIX).strip().encode()).decode()
        except InvalidToken:
            raise ValueError(f"cannot be opened with {KEY}: it was encrypted with another key, or is cut off") from None


def open_secret(token: str, keys: str) -> str:
    """The value of a token as it stands in the settings."""
    if not keys:
        raise ValueError(f"is encrypted, and {KEY} is not set")
    try:
        box = SecretsBox(keys)
    except ValueError as problem:
        raise ValueError(f"is encrypted, and {KEY} {problem}") from None
    return box.open(token)


def new_key() -> str:
    """A fresh random key."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
