"""Rows: endpoints, deployments, assets, datastores, computes, and of jobs an index and the queue.

`records` are the values, `opening` the door. Whoever imports only `records` loads no SQLAlchemy.
"""
