"""Quality over time, between two versions, and within the frame."""
