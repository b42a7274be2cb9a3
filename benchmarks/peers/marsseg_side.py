"""Train a network of marsseg and predict with it as a run and `marsseg predict` do."""

from marsseg_core import api
from marsseg_core.data.split import Split
from marsseg_core.networks.keras_backend.devices import choose_compiler
from marsseg_core.networks.predictor import Predictor
from marsseg_core.training.callbacks import EpochClock, FiniteLoss
from marsseg_core.training.setup import set_up_training


class Contender:
    """A network of marsseg. `jit` switches Keras' `jit_compile`; None leaves marsseg's choice."""

    def __init__(self, arch, data, batch, precision="float32", jit=None):
        plan = api.plan(
            arch=arch, bottleneck="none", data="synthetic", loss="ssce", optimizer="adam", batch=batch,
            precision=precision,
        )  # fmt: skip
        split = Split(tuple(range(len(data.images))), (0,), (0,))
        setup = set_up_training(plan, data, split, best_by=plan.metrics.best_by)
        self._task, self._batches = setup.task, setup.batches
        self.network = setup.task.network
        self._callbacks = [EpochClock(setup.batches), FiniteLoss(precision)]
        self._images = list(data.images)
        self._predictor = Predictor([setup.task.scored], batch=batch)
        if jit is None:
            choose_compiler(setup.task.scored)
        else:
            self._task.jit_compile = setup.task.scored.jit_compile = jit

    def train(self):
        """Train for one epoch."""
        self._task.fit(self._batches, epochs=1, callbacks=self._callbacks, shuffle=False, verbose=0)

    def predict(self):
        """Predict the class probabilities of all images."""
        for _ in self._predictor.probabilities(self._images):
            pass

    def cost(self):
        """Return the number of parameters, and of multiply-accumulates for one image."""
        from graph_cost import multiply_accumulates

        return self.network.count_params(), multiply_accumulates(self.network)
