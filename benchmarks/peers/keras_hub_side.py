"""Train and predict with a network of Keras, by `fit` and `predict_on_batch`."""

import keras
import numpy as np
from graph_cost import multiply_accumulates

from marsseg_core.conventions import VOID
from marsseg_core.networks.keras_backend.devices import choose_compiler


class Contender:
    def __init__(self, network, data, batch):
        # A plain model: a task of keras-hub is compiled with metrics that `compile` cannot remove.
        self._network = network = keras.Model(network.inputs, network.outputs)
        self._data, self._batch = data, batch
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=VOID)
        network.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
        choose_compiler(network)  # XLA off on a CPU, as in marsseg: it is slower there

    def _batches(self):
        for start in range(0, len(self._data.images), self._batch):
            yield slice(start, start + self._batch)

    def train(self):
        """Train for one epoch."""
        images = self._data.images.astype(np.float32) / 255
        self._network.fit(images, self._data.masks, batch_size=self._batch, epochs=1, verbose=0)

    def predict(self):
        """Predict the class probabilities of all images."""
        for part in self._batches():
            logits = self._network.predict_on_batch(self._data.images[part].astype(np.float32) / 255)
            keras.ops.convert_to_numpy(keras.ops.softmax(logits))

    def cost(self):
        """Return the number of parameters, and of multiply-accumulates for one image."""
        return self._network.count_params(), multiply_accumulates(self._network)
