"""The environments that deployments ask for: built once, kept in the home, shared by all jobs.

`cache` is the door. Nothing here is imported for a job that runs in a Python that is there already.
"""
