"""What is to be done: the input listed in one stable order and cut into mini-batches.

`listing` walks the input, `input_list` reads it from a file, `selection` applies patterns, `sample` takes a
few, `sorting` keeps giant folders out of memory, `batches` cuts, `draft` writes the manifest, `previous`
compares it with one that was cut off, `manifest` reads it, `comparison` finds what came to the input later,
`extension` makes a manifest longer, and `planner` does all of it a few milliseconds at a time. Nothing here
knows of jobs, engines or journals.
"""
