"""What can go wrong, each message in the form: what, got, fix."""


class DoverError(Exception):
    """Base of every error a user can cause or meet."""


class SettingsError(DoverError):
    """A model, device, option or calibration that does not exist or does not fit."""


class VideoError(DoverError):
    """A video that cannot be read, or for which the network gives no number."""


class WeightsError(DoverError):
    """Weights that are missing, damaged, or of another model."""


class LicenceError(WeightsError):
    """Weights whose licence has not been accepted."""


class EngineError(DoverError):
    """A network that cannot be run on this device, whatever the video; it stops a batch."""
