"""procrastinate's worker, made to notice every job at once, and to bear what it cannot record.

Its loop forgets a notification that comes while it looks for jobs, and would then sit until its
next regular look. A person in Slack would see that as a second of silence.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from procrastinate.worker import Worker

from bot import dispatch

log = logging.getLogger(__name__)


class _Announcement(asyncio.Event):
    """Is set until a look that began after the announcement has ended; each look ends in `clear`.

    The look that ends first may have begun before the announcement, so it takes two.
    """

    _looks = 0

    def set(self) -> None:
        self._looks = 2
        super().set()

    def clear(self) -> None:
        self._looks -= 1
        if self._looks <= 0:
            super().clear()


class AttentiveWorker(Worker):
    """Looks again whenever a job was announced, or has ended: it may have held up another."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._new_job_event = _Announcement()

    async def _process_job(self, context: Any) -> None:
        try:
            await super()._process_job(context)
        except Exception as error:  # nobody awaits this; the job is given back and done again
            log.warning(
                "the end of job %s (%s) is not recorded: %s",
                context.job.id, context.job.task_name, dispatch.describe(error),
            )  # fmt: skip
        finally:
            # The database announces it too, but perhaps before we listen.
            self._new_job_event.set()
