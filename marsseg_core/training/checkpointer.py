"""The interface through which a training saves and loads its checkpoint, and its default: a file in the run folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ..files.run_folder import RunFolder
from .checkpoint import ProgressText, TrainingProgress, load_checkpoint, read_progress, save_checkpoint

if TYPE_CHECKING:
    import keras


class Checkpointer(ABC):
    """Store the latest state of one training, and load it again.

    A training saves its state after each epoch, and a resumed training continues from the state that was saved last.
    An implementation decides where and how the state is stored.
    """

    @property
    @abstractmethod
    def saved(self) -> bool:
        """Return whether there is a saved state."""

    @abstractmethod
    def save(self, task: keras.Model, progress: TrainingProgress) -> None:
        """Replace the saved state in one atomic step.

        The state consists of all variables of the task and of its optimizer, and of `progress`.

        Args:
            task: the model that is trained
            progress: how far the training is

        Raises:
            RunError: the state cannot be written. The state that was saved before must still be there, unchanged.
        """

    @abstractmethod
    def progress(self) -> TrainingProgress:
        """Return the progress of the saved training, without loading the variables.

        Returns:
            The progress that `save` received last.

        Raises:
            RequestError: the state cannot be read.
        """

    @abstractmethod
    def load(self, task: keras.Model) -> TrainingProgress:
        """Set the variables of `task` and of its optimizer to the saved values, and return the progress.

        Args:
            task: the model whose variables are set

        Returns:
            The progress that `save` received last.

        Raises:
            RequestError: the state cannot be read, or belongs to another network.
        """


class FileCheckpointer(Checkpointer):
    """Store the state in the file `checkpoint/last.npz` of a run folder."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._text_of = ProgressText()

    @property
    def saved(self) -> bool:
        """Return whether the file exists."""
        return self._folder.checkpoint.is_file()

    def save(self, task: keras.Model, progress: TrainingProgress) -> None:
        """Write the file atomically."""
        with self._folder.written_at_once(self._folder.checkpoint) as file:
            save_checkpoint(file, task, progress, self._text_of)

    def progress(self) -> TrainingProgress:
        """Return the progress in the file."""
        return read_progress(self._folder.checkpoint)

    def load(self, task: keras.Model) -> TrainingProgress:
        """Set the variables of `task` and of its optimizer, and return the progress."""
        return load_checkpoint(self._folder.checkpoint, task)
