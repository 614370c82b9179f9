"""Eigenvalues of real symmetric tridiagonal matrices below energies, counted."""
