"""One command on a machine with only Python and pip: make the environment, install, run.

``python3 belonging_research/bootstrap.py run`` (``py`` on Windows) from a checkout. Standard library only, no
import of this package, since nothing is installed yet. It parses on Python 3.7, so an old Python is told
so in words. Run as a script, this folder comes first on the path: no module here may have a name that is in
Python's own library, which `tests/test_architecture.py` holds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
STAMP = "belonging-stamp.txt"
SPACE_NEEDED = 2 * 1024**3  # the environment takes 1.3 GB, pip's downloads 0.4 GB more
# Spark is 0.5 GB of its own and needs Java, so only its tests ask for it.
USUAL, WITH_SPARK = ("test",), ("spark", "test")
# Windows refuses paths of 260 characters; the longest file below an environment has 155 (JupyterLab's).
LONGEST_ENVIRONMENT = 260 - 1 - 155 - 4

SYNCED = {
    "onedrive": "OneDrive",
    "sharepoint": "SharePoint",
    "dropbox": "Dropbox",
    "google drive": "Google Drive",
    "googledrive": "Google Drive",
    "my drive": "Google Drive",
    "icloud": "iCloud",
    "iclouddrive": "iCloud",
    "mobile documents": "iCloud",
    "nextcloud": "Nextcloud",
    "box sync": "Box",
}

USAGE = """usage: python3 belonging_research/bootstrap.py VERB [ARGUMENTS]      (py on Windows)

Makes the project's own Python environment the first time (about three minutes), then does the verb.

  run       the main job; without arguments a simulated study   (run --help tells more)
  test      the tests; further arguments go to pytest           (test -m "not slow" is the short way);
            where there is Java, all of them bring Spark along: another 0.5 GB
  lab       JupyterLab in notebooks/
  doctor    why it does not work on this laptop; installs nothing
  validate, simulate, plan ...   any verb of `belonging --help`

BELONGING_VENV=FOLDER puts the environment elsewhere. Exit codes: the verb's own; 71 to 79 this script's.
"""


class BootstrapError(Exception):
    """What went wrong before the project could start, and what to do."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def synced_by(path: PurePath, environ: Mapping[str, str]) -> str | None:
    """The sync service that keeps a folder, by its name or by OneDrive's own variables; None where none."""
    roots = [environ[key] for key in ("OneDrive", "OneDriveCommercial", "OneDriveConsumer") if environ.get(key)]
    if any(type(path)(root) in (path, *path.parents) for root in roots):
        return "OneDrive"
    for part in path.parts:
        for mark, service in SYNCED.items():
            if part.lower() == mark or re.match(rf"{re.escape(mark)}\b", part.lower()):
                return service
    return None


def environment_folder(checkout: PurePath, *, windows: bool, environ: Mapping[str, str]) -> PurePath:
    """Where the environment goes: ``BELONGING_VENV``, else ``.venv`` in the checkout.

    On Windows a synced or too long path is left for a short one below ``%LOCALAPPDATA%``, named by a hash of
    the checkout's path, since a sync client holds files while pip renames them.
    """
    if environ.get("BELONGING_VENV"):
        return type(checkout)(environ["BELONGING_VENV"])
    inside = checkout / ".venv"
    local = environ.get("LOCALAPPDATA")
    if not windows or not local:
        return inside
    if synced_by(checkout, environ) is None and len(str(inside)) <= LONGEST_ENVIRONMENT:
        return inside
    name = hashlib.sha256(str(checkout).lower().encode()).hexdigest()[:8]
    return type(checkout)(local) / "belonging" / name


def environment_python(folder: Path, *, windows: bool) -> Path:
    """The interpreter inside an environment."""
    return folder / "Scripts" / "python.exe" if windows else folder / "bin" / "python"


def stamp(parts: Sequence[bytes]) -> str:
    """A hash of everything that an installation depends on; another one means: install again."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def truststore_flags(pip_version: str) -> list[str]:
    """``--use-feature=truststore`` where pip carries it (23.3) and does not yet use it unasked (24.2)."""
    numbers = tuple(int(n) for n in re.findall(r"\d+", pip_version)[:2])
    return ["--use-feature=truststore"] if (23, 3) <= numbers < (24, 2) else []


# What pip prints, what it means, what to do. The first that matches counts.
TROUBLES = (
    (
        r"No space left on device|Errno 28|WinError 112|not enough space",
        "The disk is full.",
        "Free about 2 GB, or set BELONGING_VENV to a folder on a larger disk, and run the same line again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSLCertVerificationError|SSLError",
        "The network's certificate was not accepted; usually a proxy that inspects traffic.",
        "Ask IT for the proxy's root certificate as a .pem file and set PIP_CERT to its path,"
        " or use Python 3.11.9, 3.12.3 or newer, whose pip reads this machine's own certificates.",
    ),
    (
        r"ProxyError|Cannot connect to proxy|407 Proxy|Proxy Authentication",
        "The proxy refused the connection.",
        "Set HTTPS_PROXY to the address IT gives you (with user and password if it wants them).",
    ),
    (
        r"NewConnectionError|NameResolution|getaddrinfo|timed out|Network is unreachable|from versions: none",
        "The package index could not be reached.",
        "Check the connection. Behind a proxy, set HTTPS_PROXY; with an own index, set PIP_INDEX_URL.",
    ),
    (
        r"WinError 206|path is too long|filename or extension is too long|WinError 3\b",
        "A path is too long for Windows.",
        "Set BELONGING_VENV to a short folder, such as C:\\belonging, and run the same line again.",
    ),
    (
        r"WinError 5\b|WinError 32|Permission denied|Access is denied|Errno 13",
        "A file is held by another program or may not be written.",
        "Close JupyterLab and Python windows, pause the sync client, and run the same line again.",
    ),
    (
        r"No matching distribution found|Could not find a version|Failed building wheel|metadata-generation",
        "A package has no ready-made version for this Python.",
        "Use 64-bit Python 3.11, 3.12 or 3.13.",
    ),
)


def diagnose(output: str) -> str:
    """What a failed installation's output means, and what to do, in two or three lines."""
    for pattern, meaning, remedy in TROUBLES:
        if re.search(pattern, output, re.IGNORECASE):
            return f"{meaning}\n{remedy}"
    return "pip gave up; its last lines are above.\nPut `doctor` in place of the verb to look for usual causes."


def check_python(version: tuple[int, int], *, has_venv: bool, has_ensurepip: bool) -> None:
    """Refuse a Python that cannot make the environment.

    Raises
    ------
    BootstrapError
        If it is older than 3.11, or lacks ``venv`` or ``ensurepip`` (Debian and Ubuntu split them off).
    """
    number = f"{version[0]}.{version[1]}"
    if version < OLDEST:
        raise BootstrapError(
            f"This is Python {number}; the project needs 3.11 or newer.\n"
            "Install 3.12 or 3.13 from python.org or your software centre, then name it: `py -3.13 ...` on\n"
            "Windows, `python3.13 ...` elsewhere.",
            76,
        )
    if not (has_venv and has_ensurepip):
        raise BootstrapError(
            "This Python cannot make environments: its parts `venv` and `ensurepip` are not installed.\n"
            f"On Debian or Ubuntu: `sudo apt install python{number}-venv`, then run the same line again.",
            71,
        )


def check_space(folder: Path) -> None:
    """Refuse to begin an installation that the disk cannot hold.

    Raises
    ------
    BootstrapError
        If less than 2 GB are free where the environment goes.
    """
    place = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(place).free
    if free < SPACE_NEEDED:
        raise BootstrapError(
            f"{place}: {free / 1e9:.1f} GB free; the environment needs about 2 GB.\n"
            "Free some, or set BELONGING_VENV to a folder on a larger disk.",
            72,
        )


def say(text: str) -> None:
    """A line of progress, on stderr so that a verb's own output stays clean."""
    print(text, file=sys.stderr, flush=True)


def runs(python: Path) -> bool:
    """Whether an environment's interpreter is there, starts, and has this Python's version."""
    if not python.exists():
        return False
    question = [str(python), "-I", "-c", "import sys; print(sys.version_info[:2])"]
    answer = subprocess.run(question, capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == str(sys.version_info[:2])


def make_environment(folder: Path) -> None:
    """Make an empty environment, replacing one that this script made before.

    Raises
    ------
    BootstrapError
        If the folder holds something else, or ``venv`` fails; its own words and their meaning are shown.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / STAMP).exists():
            raise BootstrapError(
                f"{folder} holds something this script did not make, or another Python's environment.\n"
                "Move it away, or set BELONGING_VENV to a folder that does not exist yet.",
                73,
            )
        shutil.rmtree(folder)
    say(f"Making a Python environment in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAMP).write_text("unfinished", encoding="ascii")
    command = [sys.executable, "-I", "-m", "venv", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        output = done.stdout + done.stderr
        say(output)
        raise BootstrapError(f"{folder}: no environment could be made.\n{diagnose(output)}", 73)


def show_progress(line: str, seen: set[str], expected: int) -> None:
    """One line for each tenth package that pip turns to, or each one on a terminal, overwriting itself."""
    match = re.match(r"Collecting ([A-Za-z0-9._-]+)|(Installing collected packages)", line)
    if match is None or match.group(1) in seen:
        return
    if match.group(2):
        end_of_line = "\n" if sys.stderr.isatty() else ""
        if len(seen) > 1:
            say(f"{end_of_line}  unpacking {len(seen)} packages; this takes a minute or two")
        return
    seen.add(match.group(1))
    text = f"  {len(seen)} of about {max(expected, len(seen))}: {match.group(1)}"
    if sys.stderr.isatty():
        print(f"\r{text:60}", end="", file=sys.stderr, flush=True)
    elif len(seen) % 20 == 1:
        say(text)


def has_java(environ: Mapping[str, str]) -> bool:
    """Whether Spark would find a Java to run on: that of JAVA_HOME, else the path's."""
    home = environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home) / "bin") if home else environ.get("PATH")) is not None


def extras_for(verb: str, arguments: Sequence[str], *, java: bool) -> tuple[str, ...]:
    """The extras that a verb needs: Spark for the whole of the tests, which skip Spark's own where there is no Java."""
    return WITH_SPARK if verb == "test" and java and "not slow" not in arguments else USUAL


def install(python: Path, extras: Sequence[str] = USUAL) -> None:
    """Install the project, editable, with some of its extras and its pinned constraints.

    Raises
    ------
    BootstrapError
        If pip fails; its last lines, their meaning and the remedy are shown.
    """
    version = subprocess.run(
        [str(python), "-I", "-m", "pip", "--version"], capture_output=True, text=True, check=False
    ).stdout
    constraints = CHECKOUT / "constraints.txt"
    expected = sum("==" in line for line in constraints.read_text(encoding="utf-8").splitlines())
    command = [str(python), "-I", "-m", "pip", "install", "--no-input", "--no-user", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", *truststore_flags(version.partition("pip ")[2])]
    command += ["--constraint", str(constraints), "--editable", f"{CHECKOUT}[{','.join(extras)}]"]
    say("Installing the project and what it needs (once; about three minutes)")
    tail, seen = deque[str](maxlen=200), set[str]()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        for line in pip.stdout or ():
            tail.append(line)
            show_progress(line, seen, expected)
    if pip.returncode:
        output = "".join(tail)
        say("".join(list(tail)[-15:]))
        raise BootstrapError(f"The installation failed.\n{diagnose(output)}", 74)


def wanted_stamp() -> str:
    """The stamp of this checkout with this Python."""
    files = [(CHECKOUT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return stamp([*files, sys.version.encode(), str(CHECKOUT).encode()])


def ready(folder: Path, extras: Sequence[str] = USUAL) -> Path:
    """The environment's interpreter, after making and installing whatever is not there yet.

    A stamp is written last, so an installation that was killed is done again; it names the extras, and those that are
    there stay when fewer are asked for.
    """
    python = environment_python(folder, windows=os.name == "nt")
    mark, digest = folder / STAMP, wanted_stamp()
    usable = runs(python)
    found, *there = mark.read_text(encoding="ascii", errors="replace").split() if mark.exists() else [""]
    if usable and found == digest and set(extras) <= set(there):
        return python
    check_space(folder)
    if not usable:
        make_environment(folder)
    mark.write_text("unfinished", encoding="ascii")
    install(python, extras)
    mark.write_text(" ".join((digest, *extras)), encoding="ascii")
    say("Ready.\n")
    return python


def pytest_arguments(arguments: Sequence[str], cores: int) -> list[str]:
    """Pytest's arguments: the user's, after two workers (a file stays with one) where they name no number."""
    chosen = any(re.match(r"-n|--numprocesses|--dist|--pdb|-p$|--co", each) for each in arguments)
    # In our own order, the slowest files first: by number of tests they would come last, one core idle.
    two = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    return [*([] if chosen or cores < 2 else two), *arguments]


def command_for(python: Path, verb: str, arguments: Sequence[str]) -> tuple[list[str], Path | None]:
    """The command line of a verb and the folder to start it in; None is where the user stands."""
    if verb == "test":
        return [str(python), "-m", "pytest", *pytest_arguments(arguments, os.cpu_count() or 1)], CHECKOUT
    if verb == "lab":
        return [str(python), "-m", "jupyterlab", *arguments], CHECKOUT / "notebooks"
    return [str(python), "-m", "belonging_research", verb, *arguments], None


def passed_on(command: Sequence[str], folder: Path | None, environ: Mapping[str, str] | None = None) -> int:
    """Run a command to its end and return its exit code; Ctrl-C is the child's to answer."""
    with subprocess.Popen(command, cwd=folder, env=environ) as child:
        while True:
            try:
                code = child.wait()
            except KeyboardInterrupt:
                continue
            return 128 - code if code < 0 else code


def examine(folder: Path) -> int:
    """The doctor, in the environment where there is one, else with this Python; nothing is installed."""
    python = environment_python(folder, windows=os.name == "nt")
    chosen = str(python) if runs(python) else sys.executable
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return passed_on([chosen, "-m", "belonging_research.doctor"], None, environ)


def start(arguments: Sequence[str]) -> int:
    """Do what the command line asks; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    found = [importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip")]
    folder = Path(environment_folder(CHECKOUT, windows=os.name == "nt", environ=os.environ))
    if arguments[0] == "doctor":
        check_python(sys.version_info[:2], has_venv=True, has_ensurepip=True)
        return examine(folder)
    check_python(sys.version_info[:2], has_venv=found[0], has_ensurepip=found[1])
    extras = extras_for(arguments[0], arguments[1:], java=has_java(os.environ))
    command, place = command_for(ready(folder, extras), arguments[0], arguments[1:])
    return passed_on(command, place)


def main() -> NoReturn:
    """Entry point: argv in, exit code out."""
    try:
        sys.exit(start(sys.argv[1:]))
    except BootstrapError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except PermissionError as error:
        say(f"error: {error.filename}: may not be written.\nSet BELONGING_VENV to a folder of your own.")
        sys.exit(75)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
