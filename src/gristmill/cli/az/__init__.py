"""The command line in the shape of ``az ml``: its groups, verbs and options, and its answers.

``option`` is how an option is taken, ``options`` are those that several verbs have, and the ``…_commands``
say which verb has which. A file for each group does what was typed, by the verbs of the service. ``answer``
puts a resource on stdout, as ``query`` and ``formats`` are told to. ``scripts`` runs a script that was
written for ``az``, and ``stand_in`` is the ``az`` that it finds. Nothing is imported here.
"""
