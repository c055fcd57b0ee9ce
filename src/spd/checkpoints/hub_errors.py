"""Errors of the Hugging Face hub's client in plain words."""

OFFLINE = "the hub client is in offline mode"
NO_CONNECTION = "the network connection failed; try again"


def hub_reason(error: Exception) -> str:
    """Reason for an error of the hub's client, or for the error that caused it, in one line."""
    from huggingface_hub import errors

    network = (errors.HTTPError, ConnectionError, TimeoutError)  # type: ignore[attr-defined]
    for cause in (error.__cause__, error):
        if isinstance(cause, errors.LocalTokenNotFoundError):
            return "no access token was found; log in (hf auth login) or set HF_TOKEN"
        if isinstance(cause, errors.GatedRepoError):
            return (
                "access is gated; accept the terms on the hub's website and log in (hf auth login)"
            )
        if isinstance(cause, errors.RepositoryNotFoundError):
            return "the model does not exist on the hub, or it is private"
        if isinstance(cause, errors.OfflineModeIsEnabled):
            return OFFLINE
        if isinstance(cause, errors.HfHubHTTPError):
            status = cause.response.status_code
            if status in (401, 403):
                return f"the hub denied access (status {status}); does your token have permission?"
            return f"the hub returned status {status}: {_first_line(cause)}"
        if isinstance(cause, (*network, errors.LocalEntryNotFoundError)):
            return NO_CONNECTION
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or "no error message"
