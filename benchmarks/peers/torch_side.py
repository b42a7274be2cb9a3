"""Train and predict with a network of PyTorch, as its tutorials do."""

import os

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from marsseg_core.conventions import VOID

# Of the two orders of a map's axes, the one that is faster on a CPU.
MEMORY_FORMAT = torch.channels_last

THREADS = int(os.environ["OMP_NUM_THREADS"])
torch.set_num_threads(THREADS)
torch.set_num_interop_threads(THREADS)
torch.manual_seed(0)


class Contender:
    def __init__(self, network, data, batch):
        self._network = network.to(memory_format=MEMORY_FORMAT)
        self._optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        self._data, self._batch = data, batch

    def _batches(self):
        for start in range(0, len(self._data.images), self._batch):
            part = slice(start, start + self._batch)
            images = torch.from_numpy(self._data.images[part].astype(np.float32) / 255).permute(0, 3, 1, 2)
            yield images.contiguous(memory_format=MEMORY_FORMAT), torch.from_numpy(self._data.masks[part].astype("i8"))

    def _logits(self, images):
        output = self._network(images)
        return output[0] if isinstance(output, (list, tuple)) else output  # BasicUNetPlusPlus gives a list

    def train(self):
        """Train for one epoch."""
        self._network.train()
        for images, labels in self._batches():
            self._optimizer.zero_grad()
            loss = cross_entropy(self._logits(images), labels, ignore_index=VOID)
            loss.backward()
            self._optimizer.step()
            loss.item()

    def predict(self):
        """Predict the class probabilities of all images."""
        self._network.eval()
        with torch.inference_mode():
            for images, _ in self._batches():
                self._logits(images).softmax(1).numpy()

    def cost(self):
        """Return the number of parameters, and of multiply-accumulates for one image."""
        from torch.utils.flop_counter import FlopCounterMode

        self._network.eval()
        image = next(self._batches())[0][:1]
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self._network(image)
        # The moving statistics of normalisation count as in Keras; the counters of their updates do not.
        tensors = [t for name, t in self._network.state_dict().items() if not name.endswith("num_batches_tracked")]
        return sum(t.numel() for t in tensors), counter.get_total_flops() // 2
