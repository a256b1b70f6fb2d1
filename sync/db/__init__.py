"""The record: tables, sessions, migrations, one query module a table family."""
