import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def close_figures():
    """Each test starts and ends without open figures."""
    plt.close("all")
    yield
    plt.close("all")
