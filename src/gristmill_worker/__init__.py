"""The worker: a guest in the user's Python (3.8+) that loads the scoring script and serves mini-batches."""
