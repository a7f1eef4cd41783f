"""Image tasks: models as data, references, jobs that survive a crash, downloads, batches."""
