"""Rows: endpoints, deployments, assets, datastores, computes, and an index of jobs.

`records` are the values, `opening` the door. Whoever imports only `records` loads no SQLAlchemy.
"""
