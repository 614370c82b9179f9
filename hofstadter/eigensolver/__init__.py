"""Eigenvalues and eigenvectors of magnetic Bloch matrices, in batches."""
