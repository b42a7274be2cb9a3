"""Images and masks: their arrays, their parts, their statistics, and the batches a training sees."""
