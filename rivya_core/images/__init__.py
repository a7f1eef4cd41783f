"""Image tasks: models as data, references, tasks that survive a crash, downloads, batches."""
