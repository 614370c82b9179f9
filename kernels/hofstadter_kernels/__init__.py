"""Low-level kernels of `hofstadter`; each operation has a plain `jax.numpy` definition, `reference.py` in its folder.

That is what runs unless a call names another implementation: those for GPUs and TPUs are experimental, since they have
been lowered and interpreted on CPUs but never run on the devices.
"""

from hofstadter_kernels.det_small.api import det_small
from hofstadter_kernels.ring_inertia.api import ring_inertia
from hofstadter_kernels.sturm_bisect.api import sturm_bisect
from hofstadter_kernels.sturm_count.api import sturm_count

__all__ = ["det_small", "ring_inertia", "sturm_bisect", "sturm_count"]
