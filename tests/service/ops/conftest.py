from __future__ import annotations

from tests.chaos.conftest import open_house

__all__ = ["open_house"]
