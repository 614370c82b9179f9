"""Set-up shared by all tests: double precision, one thread, no window, fixed seeds."""

import contextlib
import os
import shutil
import tempfile

# Compiled programs are shared by all files, workers and commands of one run; `pytest_unconfigure` throws them away.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", os.path.join(tempfile.gettempdir(), f"hofstadter-tests-{os.getpid()}")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import jax
import jaxtyping
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)

# derandomize: the same examples in every run, so that a red build is red for everyone.
hypothesis.settings.register_profile("hofstadter", deadline=None, max_examples=20, derandomize=True)
hypothesis.settings.load_profile("hofstadter")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same ones in every run."""
    return np.random.default_rng(20260101)


@pytest.fixture
def strict_jax():
    """A context in which JAX converts nothing by itself: neither dtypes nor ranks."""

    @contextlib.contextmanager
    def strict():
        with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
            yield

    return strict


@pytest.fixture
def unchecked_types():
    """Run-time type checks off, as in production, to see the package's own checks and their wording."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each file to one worker, in order: its tests share compiled programs, which take most of the time."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_unconfigure(config):
    """Remove the compiled programs, but not a folder of the user's, nor one that other workers still use."""
    folder = os.environ["JAX_COMPILATION_CACHE_DIR"]
    if os.path.basename(folder) == f"hofstadter-tests-{os.getpid()}":
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def _forget_programs():
    """Compiled programs of other files only fill the memory."""
    yield
    jax.clear_caches()
