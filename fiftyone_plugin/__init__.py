"""DOVER for FiftyOne."""
