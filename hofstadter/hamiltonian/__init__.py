"""Magnetic Bloch problems: the matrices H(k) and the plane waves between momenta."""
