from tests.sweep.conftest import run_file, toy

__all__ = ["run_file", "toy"]
