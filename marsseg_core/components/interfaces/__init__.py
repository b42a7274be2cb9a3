"""The interfaces of marsseg: one class for each kind of component.

A component is a frozen dataclass. Its fields are its parameters (`marsseg_core.registry.parameters.param`), and the
first line of its docstring is its summary. `marsseg list`, `marsseg show` and the checks of a plan import the module of
a component. So the module must import Keras only inside the methods that build something: a wrong parameter is then
reported at once, and not after the seconds that the import of Keras takes.

Shapes: B images with H rows, W columns and C channels; K classes. Labels are integers. The label 255 is void: it is
never a class, and every loss and metric ignores it.
"""

from .architecture import Architecture as Architecture, NetworkSpec as NetworkSpec
from .augmentation import Augmentation as Augmentation
from .bottleneck import Bottleneck as Bottleneck
from .component import Component as Component
from .dataset import Dataset as Dataset
from .encoder import Encoder as Encoder
from .executor import Executor as Executor
from .exporter import Exporter as Exporter
from .loss import Loss as Loss
from .method import Method as Method
from .metric import Metric as Metric
from .optimizer import Optimizer as Optimizer
from .schedule import Schedule as Schedule
from .weighting import Weighting as Weighting
