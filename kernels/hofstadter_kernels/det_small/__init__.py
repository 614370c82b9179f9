"""Determinants of many small complex matrices."""
