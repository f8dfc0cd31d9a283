"""The queue of a home: jobs that wait, and the one process that runs them in turn."""
