"""The tasks that run files can name. To add one: a module with its parameter section and `Task`, and a line here."""

from hofstadter.tasks._task import Task
from hofstadter.tasks.registry.bands import BANDS
from hofstadter.tasks.registry.butterfly import BUTTERFLY
from hofstadter.tasks.registry.chern import CHERN
from hofstadter.tasks.registry.density import DENSITY
from hofstadter.tasks.registry.dos import DOS
from hofstadter.tasks.registry.fit import FIT
from hofstadter.tasks.registry.geometry import GEOMETRY
from hofstadter.tasks.registry.hartree_fock import HARTREE_FOCK
from hofstadter.tasks.registry.heavy_fermion_excitations import HEAVY_FERMION_EXCITATIONS
from hofstadter.tasks.registry.landau_fan import LANDAU_FAN
from hofstadter.tasks.registry.magnetization import MAGNETIZATION
from hofstadter.tasks.registry.strong_coupling import STRONG_COUPLING
from hofstadter.tasks.registry.wilson import WILSON

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        *(BUTTERFLY, BANDS, CHERN, WILSON, GEOMETRY, LANDAU_FAN, DENSITY, DOS, MAGNETIZATION, FIT),
        *(STRONG_COUPLING, HARTREE_FOCK, HEAVY_FERMION_EXCITATIONS),
    )
}
