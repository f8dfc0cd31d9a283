"""What a script costs, measured on a sample, and what settings follow from it.

`facts` are the values that are measured; `supply` hands out files, `measuring` asks workers and keeps what
they tell (`climb` says which size is next, `side_by_side` how several workers get on with each other);
`cost` turns it into what a call of any size takes, and `decision` into settings, with `deadline` for the
timeout. Deciding is apart from doing: the former are pure functions over `facts`.
"""
