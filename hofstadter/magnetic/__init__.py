"""What a magnetic field does to lattice translations and hops."""
