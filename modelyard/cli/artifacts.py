"""`modelyard artifacts`: copies stored bytes between stores, directly in a home; no server needs to run."""

from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.options import Home, Json, with_home
from modelyard.cli.output import Done, say
from modelyard.cli.progress import progress_bar
from modelyard.cli.tenants import open_home
from modelyard.cli.usage import NotUnderstood, choice
from modelyard.core.errors import ArtifactCorrupt, Conflict
from modelyard.core.settings import STORES

if TYPE_CHECKING:
    from modelyard.control.registry.moving import Moved

app = typer.Typer(help="Copy stored models between stores on the server's own machine.", no_args_is_help=True)
VARIABLE = "MODELYARD_ARTIFACT_STORE"


@app.callback()
def _artifacts() -> None:
    """Copy stored models between stores on the server's own machine."""


@app.command()
def move(
    to: Annotated[str, typer.Option("--to", help=f"{' or '.join(STORES)}.", show_default=False)],
    source: Annotated[
        str | None, typer.Option("--from", help="Where they are now; else the other one.", show_default=False)
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete what was copied from where it came; nothing is copied then.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Copy every model's bytes to another store, digests checked. Called again, it goes on where it was cut off.

    Servers may run. Then choose the store by MODELYARD_ARTIFACT_STORE and start anew, call this again for what came
    meanwhile, and with --forget give back the room.
    """
    left = _source(source, to)
    open_home(home)
    from django.conf import settings

    from modelyard.control.registry.moving import copy_artifacts, forget_artifacts
    from modelyard.control.registry.storage import named_store

    chosen = settings.MODELYARD.artifact_store
    if forget and chosen == left:
        raise Conflict(f"{left} is the store in use: set {VARIABLE}={to} and start anew before it is emptied")
    if forget and left == "filesystem" and settings.MODELYARD.serving_artifacts == settings.MODELYARD.artifacts:
        raise Conflict(
            f"the data plane takes artifacts from {settings.MODELYARD.artifacts}, which is the store to be emptied: "
            "set MODELYARD_SERVING_ARTIFACTS to another folder and start anew before"
        )
    act = forget_artifacts if forget else copy_artifacts
    with progress_bar(json) as bar:
        moved = act(source=named_store(left), target=named_store(to), report=lambda part, of: bar("copy", part, of))
    back = with_home(f"modelyard artifacts move --from {to} --to {left}", home)
    more = {} if forget or chosen == to else {"next": f"set {VARIABLE}={to}, start anew, then call this again"}
    if chosen == to and not forget:
        more = {"next": with_home(f"modelyard artifacts move --from {left} --to {to} --forget", home)}
    Done(_told(moved, left, to, forget), result=moved, undo=back, more=more).show(json)
    if moved.failed:
        for tenant, digest, reason in moved.failed:
            say(f"tenant {tenant}, {digest}: {reason}")
        raise ArtifactCorrupt(f"{len(moved.failed)} artifacts stayed in {left} alone; the others are done")


def _source(given: str | None, to: str) -> str:
    """Return the store to copy from. Raises `NotUnderstood`."""
    for option, name in (("--to", to), ("--from", given)):
        if name is not None:
            choice(option, name, STORES)
    source = given or next(name for name in STORES if name != to)
    if source == to:
        raise NotUnderstood(f"--from and --to are both {to}: expected two different stores")
    return source


def _told(moved: "Moved", source: str, to: str, forget: bool) -> str:
    if forget:
        return f"deleted {moved.forgotten} artifacts from {source}; {to} has them whole"
    return (
        f"copied {moved.copied} artifacts ({moved.copied_bytes} bytes) from {source} to {to}, "
        f"{moved.were_there} were there; each was read back and has its digest"
    )
