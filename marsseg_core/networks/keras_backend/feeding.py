"""Give `fit` its batches in the form that suits Keras' backend."""

from __future__ import annotations

from typing import Any

import keras


def steady(batches: keras.utils.PyDataset) -> Any:
    """Return what `fit` takes for these batches; on TensorFlow, if one thread makes them, without its autotuning.

    At the end of an epoch, TensorFlow ends the thread that tunes its pipeline. Where this thread misses the signal, it
    sleeps on, for as long as the epoch has taken and for up to a minute, and the training waits. Seen with TensorFlow
    2.21, most often on busy processors. There is nothing to tune here; with several threads Keras turns it off, too.
    """
    if keras.backend.backend() != "tensorflow" or batches.workers > 1:
        return batches
    import tensorflow as tf

    signature = keras.tree.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), batches[0])
    dataset = tf.data.Dataset.from_generator(
        lambda: map(batches.__getitem__, range(len(batches))), output_signature=signature
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches))).prefetch(2).with_options(options)
