"""Electrons that repel each other within a few bands: form factors, exact excitations, and Hartree–Fock."""
