"""Set-up shared by all tests: double precision, one thread, no window, fixed seeds."""

import contextlib
import os

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


@pytest.fixture(autouse=True, scope="module")
def _forget_programs():
    """Compiled programs of other files only fill the memory."""
    yield
    jax.clear_caches()
