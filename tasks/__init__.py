"""Says when: thin Celery tasks around the services of `sync`."""
