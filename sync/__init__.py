"""Makes things happen: I/O and decisions. No Celery anywhere in here; Flask only under `web/`."""
