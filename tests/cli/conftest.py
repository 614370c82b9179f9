import pytest

from hofstadter.cli.main import main
from tests.sweep.conftest import toy

__all__ = ["toy"]


@pytest.fixture
def hofstadter(capsys, monkeypatch):
    """Call the command line in this process; returns the exit code and what came on stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    # This process is in double precision already, and keeps its compilation cache.
    monkeypatch.setattr("hofstadter.cli._start.start_jax", lambda **_: None)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err

    return call
