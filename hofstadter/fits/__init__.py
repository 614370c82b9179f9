"""Model parameters from measured gap sizes and level positions."""
