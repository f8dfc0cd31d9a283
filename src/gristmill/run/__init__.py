"""The kitchen: the one loop of a job, with everything that decides about retries, order, thresholds and
the end.
"""
