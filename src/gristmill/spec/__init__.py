"""What was asked for: deployment files, bare scripts and options, as checked values.

``values`` holds what the other floors use, and needs only the standard library. ``deployment`` reads a file
or a script into those values. The way there: ``document`` (YAML text to a tree with positions), ``layout``
(every spelling of a key to one place), ``overrides`` (options laid over the tree), ``schema`` (the check),
``deployment`` (the values). ``patterns`` says what a pattern for paths means.
Nothing is imported here, so that a door that only needs ``values`` stays quick.
"""
