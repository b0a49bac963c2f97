"""Score many videos: journal, runner, tables, Ray."""
