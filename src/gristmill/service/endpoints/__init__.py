"""Endpoints and their deployments: made, changed, and invoked.

What they name is registered elsewhere: `references` resolves it, and serves those who only run a file, too.
"""
