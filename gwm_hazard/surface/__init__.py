"""Conditional distributions of intensity measures over the scenario space.

``ensemble`` estimates them from draws, ``build`` does so at the nodes of a grid, ``surface``
keeps the result in a file and interpolates it.
"""
