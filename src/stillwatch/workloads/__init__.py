"""Recurring jobs: passages that stand together are a template; templates sent together by the same accounts, a job."""

from stillwatch.workloads.jobs import Jobs, find_jobs

__all__ = ["Jobs", "find_jobs"]
