"""Projectors, quantum geometric tensor, and the position-free minimal metric."""
