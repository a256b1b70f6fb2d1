"""The console: one page that says what needs a person, and how everything else flows."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("console", __name__)
