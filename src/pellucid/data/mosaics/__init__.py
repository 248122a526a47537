"""Pairs of galaxies cut out of the mosaics of two telescopes."""
