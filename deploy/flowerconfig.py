"""Flower shows the queues; it never changes them. Without a password it does not start, since it would be open."""

import os

if ":" not in os.environ.get("FLOWER_BASIC_AUTH", ""):
    raise SystemExit("Flower needs a password: set FLOWER_BASIC_AUTH=user:password in deploy/ecsync.env")

read_only = True
