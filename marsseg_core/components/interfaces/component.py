"""Define the common base class of all interfaces."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from ...registry.kinds import Kind


class Component(ABC):
    """Define a part of a run that is chosen by name; the fields of its frozen dataclass are its parameters.

    This is the common base class of all interfaces. Do not derive from it directly, but from the interface of a kind,
    such as `Loss`.

    Example:
        ```python
        @dataclass(frozen=True)
        class MyLoss(Loss):
            '''My loss: one line that says what it does.'''

            power: float = param(0.5, help="the exponent", above=0)

            def build(self, spec): ...
        ```
    """

    kind: ClassVar[Kind]
    """The kind of the component. Each interface sets it."""

    layer_modules: ClassVar[tuple[str, ...]] = ()
    """The modules that define the custom Keras layers of the models that this component builds.

    marsseg imports them before it reads a saved model, because Keras finds a custom layer by its registered name only
    after the module of the layer was imported.
    """

    def compositions(self) -> tuple[tuple[Kind, str], ...]:
        """Return the kind and the text of each composition among the parameters, for a component made of components.

        A composition is a text such as `transformer,aspp:rates=6`. The compositions are checked together with the
        plan, and the layer modules of their components are imported when a model is loaded.

        Returns:
            A pair (kind, composition text) for each composition; empty for most components.
        """
        return ()

    def without_effect(self) -> dict[str, str]:
        """Return the parameters that have no effect with the present value of another parameter.

        marsseg says so before a run, for those that do not have their default.

        Returns:
            For each of these parameters the name of the other one, such as {"nesterov": "momentum"}; empty for most
            components.
        """
        return {}
