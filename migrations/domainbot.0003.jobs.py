"""The job queue: procrastinate's own schema, and keys that make a job happen once."""

from typing import Any

from procrastinate.schema import SchemaManager
from yoyo import step

__depends__ = {"domainbot.0002.conversations"}


def create(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SchemaManager.get_schema())
        # A second job with the same key is refused for as long as the first one is kept.
        cursor.execute(
            "create table job_key ("
            " key text primary key,"
            " job_id bigint not null references procrastinate_jobs on delete cascade,"
            " created_at timestamptz not null default now())"
        )


steps = [step(create)]
