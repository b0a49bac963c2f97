"""Read videos in threads or worker processes while the networks run."""
