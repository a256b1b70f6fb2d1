#!/bin/sh
# Makes what `docker compose up` needs and git must not hold: deploy/ecsync.env and random passwords in deploy/secrets.
# Run it as often as you like: what exists stays as it is.
set -eu
cd "$(dirname "$0")"
umask 077

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# a container's user must read the file, so the directory alone keeps others out
write_secret() {
    [ -e "secrets/$1" ] || { printf '%s' "$2" >"secrets/$1"; chmod 444 "secrets/$1"; echo "made deploy/secrets/$1"; }
}

mkdir -p secrets
write_secret postgres_password "$(random)"
write_secret database_url "postgresql+psycopg2://ecsync:$(cat secrets/postgres_password)@postgres:5432/ecsync"
write_secret grafana_password "$(random)"
write_secret rabbitmq.env "RABBITMQ_DEFAULT_USER=ecsync
RABBITMQ_DEFAULT_PASS=$(random)
"
if [ ! -e ecsync.env ]; then
    sed -e "s/^FLOWER_BASIC_AUTH=$/FLOWER_BASIC_AUTH=ops:$(random)/" \
        -e "s/^ECSYNC_CALLBACK_TOKEN=$/ECSYNC_CALLBACK_TOKEN=$(random)/" ecsync.env.example >ecsync.env
    echo "made deploy/ecsync.env: fill it in, then start"
fi
