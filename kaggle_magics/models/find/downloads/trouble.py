"""What went wrong with a download, in one line that says what to do."""

from __future__ import annotations

from kaggle_magics import environment
from kaggle_magics.errors import KaggleMagicsError, MissingExtra, ModelNotFound
from kaggle_magics.models.find.downloads.remote import Remote
from kaggle_magics.models.find.downloads.supervise import Failure

_ATTACH = 'attach the model with "Add Input" instead'
_TOKEN = (
    "Make a token at https://huggingface.co/settings/tokens and give it: on Kaggle as a secret named HF_TOKEN (Add-ons "
    "> Secrets), elsewhere as the environment variable HF_TOKEN."
)


def explain(remote: Remote, failure: Failure, *, has_token: bool) -> KaggleMagicsError:
    """The error for a person, from what the client said."""
    if failure.kind == "disk":
        return KaggleMagicsError(
            f"The disk became full while {remote.name} was downloaded.",
            "What has come is kept: free some space, or set HF_HOME to a folder with room, and run it again.",
        )
    if failure.kind == "missing library":
        library = "huggingface_hub" if remote.source == "hub" else "kagglehub"
        return MissingExtra(f"Downloading needs {library}, which cannot be imported.", f"Run: %pip install {library}")
    if failure.kind == "busy":
        return ModelNotFound(
            f"{remote.name} is being downloaded already, in another notebook.", "Wait for it, and run this again."
        )
    if failure.kind == "offline":
        return offline(remote)
    return _hub(remote, failure, has_token) if remote.source == "hub" else _kaggle(remote, failure)


def offline(remote: Remote) -> ModelNotFound:
    """The error for a machine without internet."""
    server = "Hugging Face" if remote.source == "hub" else "Kaggle"
    hint = (
        f"Switch Internet on in the notebook's settings (Session options), or {_ATTACH}."
        if environment.on_kaggle()
        else "Check the connection, and run it again: what has come is kept."
    )
    return ModelNotFound(f"{server} cannot be reached from here, so {remote.name} was not downloaded.", hint)


def _hub(remote: Remote, failure: Failure, has_token: bool) -> ModelNotFound:
    name, status = remote.name, failure.status
    if failure.kind == "gated":
        accept = f"Accept its terms ({remote.page})"
        if has_token:
            return ModelNotFound(
                f"{name} is gated, and the account of the given token has no access.",
                f"{accept} with that account; some owners take a while to agree.",
            )
        return ModelNotFound(f"{name} is gated: its owner lets in who has accepted its terms.", f"{accept}. {_TOKEN}")
    if failure.kind == "missing":
        private = "" if has_token else f" If it is private, the hub wants a token. {_TOKEN}"
        return ModelNotFound(f"Hugging Face has no model {name}.", f"Check the name ({remote.page}).{private}")
    if failure.kind == "revision":
        return ModelNotFound(f"{name} has no revision {remote.revision!r}.", f"See {remote.page}/tree/main")
    if failure.kind == "file":
        return ModelNotFound(f"{name} lacks a file that it lists ({failure.text}).", "Run it again.")
    if status == 401:
        given = "The Hugging Face token is not valid." if has_token else "Hugging Face wants a token."
        return ModelNotFound(f"{name} was refused (401). {given}", _TOKEN)
    if status == 403:
        return ModelNotFound(
            f"{name} was refused (403): the token may not read it.", f"See {remote.page} for who may. {_TOKEN}"
        )
    if status == 429:
        more = "Wait a few minutes." if has_token else f"Wait a few minutes, or use a token. {_TOKEN}"
        return ModelNotFound(f"Hugging Face has had too many requests from this address (429), not {name}.", more)
    if status is not None and status >= 500:
        return ModelNotFound(f"Hugging Face answered with an error ({status}).", "Run it again in a while.")
    return ModelNotFound(f"{name} could not be downloaded ({failure.text}).", "What has come is kept: run it again.")


def _kaggle(remote: Remote, failure: Failure) -> ModelNotFound:
    name, text, status = remote.name, failure.text, failure.status
    if "non-interactive" in text:
        return ModelNotFound(
            f"{name} is not attached, and a saved run cannot attach models.",
            'Attach it with "Add Input" in the editor, then save the version again.',
        )
    if "Unauthenticated" in text or "CredentialError" in text or status in (401, 403):
        return ModelNotFound(
            f"Kaggle refused {name}: it wants to know who asks, or its terms have not been accepted.",
            f"Accept them at {remote.page}, and give a key: environment variables KAGGLE_USERNAME and KAGGLE_KEY, or "
            "KAGGLE_API_TOKEN (kaggle.com > Settings > API).",
        )
    if status == 404 or "404" in text:
        return ModelNotFound(f"Kaggle has no model {name}.", f"Check the handle at {remote.page}")
    return ModelNotFound(f"{name} could not be downloaded ({text}).", "What has come is kept: run it again.")
