"""Exceptions. Each message states what is wrong, the value, and the fix."""


class DoverError(Exception):
    """Base class of all errors of this package."""


class SettingsError(DoverError):
    """A model, device, option or calibration that does not exist or is invalid."""


class VideoError(DoverError):
    """A video that cannot be read, or for which the network output is not finite."""


class WeightsError(DoverError):
    """Weights that are missing, damaged, or belong to another model."""


class LicenseError(WeightsError):
    """Weights whose license has not been accepted."""


class EngineError(DoverError):
    """A network that cannot run on this device; it stops a batch."""
