"""Gunicorn serves the receiver and the console: few processes, some threads, for short requests that wait on SQL."""

import os
from pathlib import Path

bind = os.environ.get("ECSYNC_WEB_BIND", "127.0.0.1:8600")
workers = 2
worker_class = "gthread"
threads = 8
timeout = 30
graceful_timeout = 30
accesslog = None  # callbacks carry personal data in their bodies and tokens in their paths; /metrics counts them
control_socket_disable = True  # nobody asks it, and the file system is read-only
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  (a heartbeat on disk can block)
