"""Eigenvalues of block-cyclic Hermitian matrices below energies, counted."""
