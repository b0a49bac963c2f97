"""From frames to the two views that the networks see."""
