"""Where a training keeps what it needs to go on: one file in the run folder, or what is put in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ..files.run_folder import RunFolder
from .checkpoint import TrainingProgress, load_checkpoint, read_progress, save_checkpoint

if TYPE_CHECKING:
    import keras


class Checkpointer(ABC):
    """Keep the last state of one training, and give it back.

    A training saves after each epoch, and goes on from what was saved last. Another implementation may write
    elsewhere, or in pieces; the loop knows none of it.
    """

    @property
    @abstractmethod
    def saved(self) -> bool:
        """Whether there is a state to go on from."""

    @abstractmethod
    def save(self, task: keras.Model, progress: TrainingProgress) -> None:
        """Replace the state that is kept by that of `task`, whole or not at all.

        What is kept are all variables of the task and of its optimiser, and `progress`. Raises RunError where it
        cannot be written; the state that was kept before is there then as it was.
        """

    @abstractmethod
    def progress(self) -> TrainingProgress:
        """Read how far the training is that is kept, without its variables.

        Raises RequestError where the state cannot be read.
        """

    @abstractmethod
    def load(self, task: keras.Model) -> TrainingProgress:
        """Set the variables of `task` and of its optimiser to those of the state that is kept, and give the progress.

        Raises RequestError where the state cannot be read, or is another network's.
        """


class FileCheckpointer(Checkpointer):
    """Keep the state in the run folder's `checkpoint/last.npz`."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    @property
    def saved(self) -> bool:
        return self._folder.checkpoint.is_file()

    def save(self, task: keras.Model, progress: TrainingProgress) -> None:
        with self._folder.written(self._folder.checkpoint) as temporary:
            save_checkpoint(temporary, task, progress)

    def progress(self) -> TrainingProgress:
        return read_progress(self._folder.checkpoint)

    def load(self, task: keras.Model) -> TrainingProgress:
        return load_checkpoint(self._folder.checkpoint, task)
