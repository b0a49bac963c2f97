"""Videos as frames: containers, decoders, and the files a user names."""
