"""Eigenvalues of real symmetric tridiagonal matrices, by bisection on counts."""
