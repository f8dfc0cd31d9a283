"""Run a model over a pile of files: every input accounted for, one bad file costs one file."""

__version__ = "0.1.0"
