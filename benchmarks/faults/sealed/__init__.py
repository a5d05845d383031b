"""Cases that nobody who writes rules or probes opens, and of which misses are told by kind alone.

Their rows of the catalogue of faults were drawn: `random.Random(20261123).sample` took 30 of the 82 rows of faults that a
setup can show and then 10 of the 21 of clean set-ups, both in the order of the catalogue; each is one case. What is accepted
as right was written before any of them was diagnosed.
"""
