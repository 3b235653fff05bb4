"""Runs of jobs in tests."""

from contextlib import aclosing

from services.compute.tasks.jobs import ComputeJob
from services.compute.tasks.runner import TaskOutcome, TaskRunner


async def outcomes_of(runner: TaskRunner, job: ComputeJob) -> list[TaskOutcome]:
    """Return all outcomes of a job, in the order in which they came."""
    async with aclosing(runner.run(job)) as gathered:
        return [outcome async for outcomes in gathered for outcome in outcomes]
