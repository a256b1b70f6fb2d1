"""Resident memory of our own child processes, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

KIB_PER_MB = 1024


def worker_memory_mb() -> tuple[float, float] | None:
    """(RSS, proportional share) of the largest pool process among our descendants; None where /proc tells nothing."""
    sizes = [_sizes(pid) for pid in _pool_processes()]
    return max(sizes) if sizes else None


def _pool_processes() -> list[int]:
    """Processes whose command line is a Celery worker's and whose parent is the same worker."""
    parents = {int(entry.name): _parent(entry) for entry in Path("/proc").glob("[0-9]*")}
    ours = {pid for pid in parents if os.getpid() in _ancestors(pid, parents)}
    workers = {pid for pid in ours if b"tasks.app\0worker" in _read(pid, "cmdline")}
    forked = [pid for pid in workers if parents[pid] in workers]
    return forked or sorted(workers)


def _ancestors(pid: int, parents: dict[int, int]) -> set[int]:
    seen: set[int] = set()
    while (pid := parents.get(pid, 0)) > 1 and pid not in seen:
        seen.add(pid)
    return seen


def _parent(entry: Path) -> int:
    return _field(_read(int(entry.name), "status"), b"PPid:")


def _sizes(pid: int) -> tuple[float, float]:
    shared = _read(pid, "smaps_rollup")
    return _field(shared, b"Rss:") / KIB_PER_MB, _field(shared, b"Pss:") / KIB_PER_MB


def _field(text: bytes, name: bytes) -> int:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:  # it ended meanwhile
        return b""
