<<<<<<< HEAD
"""What `scripts/fuzz` is made of: one module for each kind of input, and the processes they run in.

A module of a kind has `prepare(folder)`, which makes whole files, `mutate(seeds, target, random)`,
which writes a damaged one, and `use(path)`, which does with it what hl does and returns a word.
"""
=======
"""What scripts/fuzz.py is made of."""
>>>>>>> 31ad58b (AAF: damage and endless compositions are refused, and one track per source is written in linear time; scripts/fuzz)
