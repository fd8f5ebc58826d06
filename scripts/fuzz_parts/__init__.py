"""What `scripts/fuzz` is made of: one module for each kind of input, and the processes they run in.

A module of a kind has `prepare(folder)`, which makes whole files, `mutate(seeds, target, random)`,
which writes a damaged one, and `use(path)`, which does with it what hl does and returns a word.
"""
