"""The interfaces of marsseg: one class for each kind of component.

A component is a frozen dataclass. Its fields are its parameters (`marsseg_core.registry.parameters.param`), and the
first line of its docstring is its summary. `marsseg list`, `marsseg show` and the checks of a plan import the module of
a component. So the module must import Keras only inside the methods that build something: a wrong parameter is then
reported at once, and not after the seconds that the import of Keras takes.

Shapes: B images with H rows, W columns and C channels; K classes. Labels are integers. The label 255 is void: it is
never a class, and every loss and metric ignores it.
"""

from .architecture import Architecture, NetworkSpec
from .augmentation import Augmentation
from .bottleneck import Bottleneck
from .component import Component
from .dataset import Dataset
from .encoder import Encoder
from .executor import Executor
from .exporter import Exporter
from .loss import Loss
from .method import Method
from .metric import Metric
from .optimizer import Optimizer
from .schedule import Schedule
from .weighting import Weighting

__all__ = [
    "Architecture",
    "Augmentation",
    "Bottleneck",
    "Component",
    "Dataset",
    "Encoder",
    "Executor",
    "Exporter",
    "Loss",
    "Method",
    "Metric",
    "NetworkSpec",
    "Optimizer",
    "Schedule",
    "Weighting",
]
