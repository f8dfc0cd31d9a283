"""The command line: what was typed goes to the service, and what came of it is said in words.

``main`` finds the command, ``options`` knows what may be typed, ``start`` runs and resumes, ``job`` answers
questions about jobs, ``show`` and ``progress`` find the words. Nothing is imported here, and the commands are
imported only once one of them is asked for, so that ``gristmill --help`` answers at once.
"""
