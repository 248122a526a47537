"""Full disks, folders that nobody may write to, and no inode left, for everything that is written.

    python tests/campaign/disk.py [--only NAME…] [--places 3]

No file may grow beyond a part of what it needs (`ulimit -f`); where this process may mount, a
small disk has less room than is needed, no inode left, or is read-only, too. Each time the command
must end with exit code 75 and a line, the old files must be as they were, and nothing else be
there; and with room, the same command must end well.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from guarded import guarded
from writings import WRITINGS, Writing, prepare

#: Seconds of a processor that a training may take, on a slow machine, too.
UNDISTURBED = 120
#: Bytes of the least room that is given: stderr needs some.
LEAST = 2048
#: Bytes of the disk that is mounted, many times of what is written.
DISK = 2**24
TEMPORARY = 75


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, without those that fill it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("filler")
    }


def judged(
    writing: Writing,
    inputs: Path,
    folder: Path,
    sizes: Mapping[str, int],
    largest: int | None = None,
) -> str:
    """Write where there is no room; what was wrong."""
    before = contents(folder)
    outcome = guarded(writing.task(inputs), folder, largest, UNDISTURBED)
    if outcome.hung:
        return "hang"
    if "Traceback" in outcome.said or outcome.code < 0:
        return f"traceback ({outcome.said.strip().splitlines()[-1:]})"
    if outcome.code != TEMPORARY:
        return f"wrong exit code ({outcome.code}: {outcome.said.strip()[-200:]})"
    if not outcome.said.strip().splitlines()[-1].startswith("pellucid: "):
        return f"no line ({outcome.said.strip()[-200:]})"
    after = contents(folder)
    if any(Path(name).name.startswith(".pellucid-") for name in after):
        return "left behind"
    changed = sorted(name for name in {*after, *before} if after.get(name) != before.get(name))
    if len(writing.outputs) > 1:  # each for itself: one may be whole before there is no room
        changed = [name for name in changed if len(after.get(name, b"")) != sizes.get(name)]
    if changed and not writing.folder:
        return f"not as it was ({', '.join(changed)})"
    return "clean"


def ends_well(writing: Writing, inputs: Path, folder: Path) -> str:
    """Write where there is room; what was wrong."""
    begun = any((folder / name).exists() for name in ("out", "run", "store.h5"))
    task = writing.again if writing.again is not None and begun else writing.task
    outcome = guarded(task(inputs), folder, seconds=UNDISTURBED)
    if outcome.code:
        return f"does not go on ({outcome.code}: {outcome.said.strip()[-200:]})"
    return "clean" if all((folder / name).exists() for name in writing.outputs) else "not whole"


def by_size(
    writing: Writing, inputs: Path, folder: Path, share: float, sizes: Mapping[str, int]
) -> str:
    """No file may have more than a share of what the largest needs."""
    old_files(writing, folder)
    found = judged(writing, inputs, folder, sizes, max(LEAST, int(share * max(sizes.values()))))
    return found if found != "clean" else ends_well(writing, inputs, folder)


def by_disk(
    writing: Writing, inputs: Path, disk: Path, share: float, sizes: Mapping[str, int]
) -> str:
    """A disk with room for a share of what the largest file needs."""
    with mounted(disk, f"size={DISK}"):
        old_files(writing, disk)
        filler = disk / "filler"
        room = int(share * max(sizes.values())) // 4096 * 4096
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
            while stream.write(bytes(4096)):
                pass
        with filler.open("r+b") as stream:
            stream.truncate(filler.stat().st_size // 4096 * 4096 - room)
        found = judged(writing, inputs, disk, sizes)
        filler.unlink()
        return found if found != "clean" else ends_well(writing, inputs, disk)


def without_inodes(writing: Writing, inputs: Path, disk: Path, sizes: Mapping[str, int]) -> str:
    """A disk on which no file can be made."""
    with mounted(disk, "nr_inodes=60"):
        old_files(writing, disk)
        fillers = [disk / f"filler{k}" for k in range(100)]
        with contextlib.suppress(OSError):
            for path in fillers:
                path.touch()
        found = judged(writing, inputs, disk, sizes)
        for path in fillers:
            path.unlink(missing_ok=True)
        return found if found != "clean" else ends_well(writing, inputs, disk)


def read_only(writing: Writing, inputs: Path, disk: Path, sizes: Mapping[str, int]) -> str:
    """A disk that nobody may write to."""
    with mounted(disk, f"size={DISK}"):
        old_files(writing, disk)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        found = judged(writing, inputs, disk, sizes)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        return found if found != "clean" else ends_well(writing, inputs, disk)


def old_files(writing: Writing, folder: Path) -> None:
    """Older files in the place of what is written."""
    for name in () if writing.folder else writing.outputs:
        (folder / name).write_bytes(b"what was there before")


@contextlib.contextmanager
def mounted(disk: Path, options: str) -> Iterator[None]:
    """A small disk at a folder."""
    disk.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True, capture_output=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def may_mount(folder: Path) -> bool:
    """Whether this process may mount a disk."""
    try:
        with mounted(folder, "size=1m"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(WRITINGS), default=list(WRITINGS))
    parser.add_argument("--places", type=int, default=3, help="at which the room ends")
    parser.add_argument("--no-mount", action="store_true", help="even where it is allowed")
    options = parser.parse_args()
    for name in ("astropy.io.fits", "astropy.table", "h5py", "scipy.ndimage", "pellucid.cli"):
        importlib.import_module(name)
    counts: dict[str, collections.Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="disk-") as place:
        inputs, base = Path(place, "inputs"), Path(place)
        inputs.mkdir()
        prepare(inputs, lambda words: guarded(words, inputs).code)
        mounts = not options.no_mount and may_mount(base / "disk")
        shares = np.linspace(0.0, 0.9, options.places).tolist()
        for number, name in enumerate(options.only):
            writing = WRITINGS[name]
            folder = base / f"whole{number}"
            folder.mkdir()
            if (what := ends_well(writing, inputs, folder)) != "clean":
                raise SystemExit(f"{name}: {what}")
            sizes = {path: len(content) for path, content in contents(folder).items()}
            found = counts.setdefault(name, collections.Counter())
            results = {}
            for k, share in enumerate(shares):
                fresh = base / f"size{number}-{k}"
                fresh.mkdir()
                if max(LEAST, int(share * max(sizes.values()))) < max(sizes.values()):
                    results[f"ulimit {share:.2f}"] = by_size(writing, inputs, fresh, share, sizes)
                if mounts and int(share * max(sizes.values())) // 4096 * 4096 < max(sizes.values()):
                    disk = base / "disk"
                    results[f"disk {share:.2f}"] = by_disk(writing, inputs, disk, share, sizes)
            if mounts:
                results["no inodes"] = without_inodes(writing, inputs, base / "disk", sizes)
                results["read-only"] = read_only(writing, inputs, base / "disk", sizes)
            for how, what in results.items():
                found[what.partition(" (")[0]] += 1
                if what != "clean":
                    sys.stderr.write(f"{name}, {how}: {what}\n")
    lines = ["| | tries | what became of them |", "|---|---:|---|"]
    for name, found in counts.items():
        told = ", ".join(f"{number} {what}" for what, number in found.most_common())
        lines.append(f"| {name} | {sum(found.values())} | {told} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(set(found) - {"clean"} for found in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
