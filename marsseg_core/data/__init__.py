"""Images and masks: their arrays, their subsets, their statistics, and the batches a training sees."""
