"""Engines run the work: they know workers, processes and deadlines, and nothing of retries, jobs or rows."""
