"""A download: into a file beside its final place, which takes its name only when it is whole."""

import os
import tempfile
from pathlib import Path

from modelyard.client.pushing import Progress
from modelyard.client.transport import Transport
from modelyard.core.errors import Conflict, InvalidInput
from modelyard.core.table import format_of


def fetch(control: Transport, path: str, target: Path, *, default: str, progress: Progress) -> Path:
    """Write what is at `path` to `target` (a folder, or the file's name) and return where.

    `default` names the file in a folder when the server gives it no name.

    Raises:
        Conflict: when that file is there already.
        InvalidInput: when nothing can be written there.
    """
    target = target.expanduser()
    folder = target if target.is_dir() else target.parent
    check_folder(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".modelyard-", delete=False) as file:
            try:
                given = control.download(
                    path,
                    file.write,
                    lambda done, total: progress("download", done / (total or done or 1), f"{done:,} bytes"),
                )
                file.flush()
                final = target / (given or default) if target.is_dir() else target
                if final.exists():
                    raise Conflict(f"{final} is there already: remove it, or name another file")
                Path(file.name).replace(final)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise InvalidInput(
            f"nothing can be written to {folder} ({error.strerror or error}): name a folder with room that you may "
            "write to"
        ) from error
    return final


def promised(target: Path) -> str | None:
    """Return the format that the name of the file `target` promises; None of a folder, and where it promises none."""
    return None if target.expanduser().is_dir() else format_of(target.name)


def check_promised(target: Path, form: str) -> None:
    """Check that the file `target` may hold `form`: no Parquet goes by the name of a CSV.

    Raises:
        InvalidInput: with a name that says what it is.
    """
    if promised(target) not in (None, form):
        raise InvalidInput(f"{target.name} would hold {form}: name it {target.with_suffix(f'.{form}').name}")


def check_folder(folder: Path) -> None:
    """Check that files can be made in `folder`.

    Raises:
        InvalidInput: when it is missing, no folder, or closed to this user.
    """
    if not folder.exists():
        raise InvalidInput(f"there is no folder {folder}: make it first (mkdir -p), or name another")
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder: name another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput(f"you may not write to the folder {folder}: name another, as your home folder")
