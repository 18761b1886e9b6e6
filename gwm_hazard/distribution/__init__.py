"""Conditional distributions of intensity measures over the scenario space.

``ensemble`` estimates moments from draws, ``shape`` what is beyond them, ``build`` does so at the
nodes of a grid, which ``refine`` makes finer where the errors are; ``surface`` interpolates the
result, ``mixing`` takes conditions out of it, ``file`` keeps it.
"""
