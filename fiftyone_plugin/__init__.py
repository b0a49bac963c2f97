"""DOVER for FiftyOne; not built yet."""
