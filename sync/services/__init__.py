"""Use cases, one file each, one public function each. They know no Celery and no Flask."""
