"""Fine-tuning of a model on labelled videos. Start at ``trainer.train``."""
