"""The training loop, its callbacks, augmentation, batches and checkpoints."""
