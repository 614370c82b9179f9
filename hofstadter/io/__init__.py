"""Run files, stores and where results came from."""
