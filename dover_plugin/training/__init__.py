"""Learning: labels, losses, the training of a model, and clips made to train on."""
