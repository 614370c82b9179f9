"""Counting states: band edges, gaps, and the Chern numbers of gaps."""
