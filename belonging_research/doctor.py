"""Why it does not work on this laptop. Standard library only: it runs where an installation is broken.

Each check is a pure function of facts that are handed in; :func:`examine` collects the facts.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import struct
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from belonging_research.bootstrap import (
    CHECKOUT,
    LONGEST_ENVIRONMENT,
    OLDEST,
    SPACE_NEEDED,
    environment_folder,
    synced_by,
    truststore_flags,
)

Status = Literal["ok", "warn", "fail"]
# The longest path below an output folder: study, run, tier, a page or figure by its finding's name.
LONGEST_OUTPUT = 130
NEWEST_TRIED = (3, 13)
PROXY_NAMES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
CERTIFICATE_NAMES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One thing looked at: what was found, and what to do where it is not ``ok``."""

    name: str
    status: Status
    found: str
    what_to_do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Whether files can be written and renamed in a folder; ``trouble`` is the system's word where not."""

    folder: str
    writable: bool
    renames: bool
    trouble: str = ""


def python_version(version: tuple[int, int, int], bits: int) -> Symptom:
    """Python 3.11 to 3.13, 64 bit: the pinned packages have wheels for these only."""
    found = f"{'.'.join(map(str, version))}, {bits} bit"
    if version[:2] < OLDEST or bits < 64:
        advice = "Install 64-bit Python 3.12 or 3.13, and start the project with it (`py -3.13` on Windows)."
        return Symptom(name="Python", status="fail", found=found, what_to_do=advice)
    if version[:2] > NEWEST_TRIED:
        advice = "Not tried on this version. If the installation fails, use Python 3.13."
        return Symptom(name="Python", status="warn", found=found, what_to_do=advice)
    return Symptom(name="Python", status="ok", found=found)


def environment(prefix: str, *, own: bool) -> Symptom:
    """The interpreter should be the project's own environment, not the machine's Python."""
    if own:
        return Symptom(name="environment", status="ok", found=prefix)
    return Symptom(
        name="environment",
        status="warn",
        found=f"{prefix} is not an environment of its own",
        what_to_do="`python3 belonging_research/bootstrap.py run` (`py` on Windows) makes one and uses it.",
    )


def pinned_versions(constraints: str) -> dict[str, str]:
    """Versions by normalised name, of the pins that hold everywhere (no marker)."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)[ \t]*$", constraints, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def packages(pinned: Mapping[str, str], installed: Mapping[str, str], *, own: bool) -> Symptom:
    """Installed versions against constraints.txt: other versions may give other numbers.

    Outside an environment of its own (``own``) missing packages only mean that none was made yet.
    """
    if not pinned:
        found = f"{len(installed)} installed; no constraints.txt beside the package to compare with"
        return Symptom(name="packages", status="ok", found=found)
    missing = sorted(set(pinned) - set(installed))
    other = sorted(name for name in pinned if name in installed and installed[name] != pinned[name])
    if missing:
        found = f"{len(missing)} of {len(pinned)} not installed: {_some(missing)}"
        advice = "Run `python3 belonging_research/bootstrap.py run --help`; it installs what is missing."
        return Symptom(name="packages", status="fail" if own else "warn", found=found, what_to_do=advice)
    if other:
        shown = _some([f"{name} {installed[name]} (pinned {pinned[name]})" for name in other])
        advice = "Numbers or pages may differ. Delete the environment's folder and run the bootstrap again."
        return Symptom(name="packages", status="warn", found=shown, what_to_do=advice)
    return Symptom(name="packages", status="ok", found=f"all {len(pinned)} as pinned")


def proxy(names: Iterable[str], pip_version: str | None) -> Symptom:
    """Whether a proxy is set, and whether pip will trust this machine's own certificates behind it.

    ``names`` are names of settings; an address may hold a password, so none is shown.
    """
    shown = ", ".join(sorted(set(names)))
    if not shown:
        return Symptom(name="proxy", status="ok", found="none set")
    major_minor = tuple(int(n) for n in re.findall(r"\d+", pip_version or "0")[:2])
    if major_minor >= (24, 2) or truststore_flags(pip_version or "0"):
        found = f"set by {shown}; pip {pip_version} reads this machine's certificates"
        return Symptom(name="proxy", status="ok", found=found)
    return Symptom(
        name="proxy",
        status="warn",
        found=f"set by {shown}; pip {pip_version or 'unknown'} does not read this machine's certificates",
        what_to_do="If installing fails with a certificate error, set PIP_CERT to the proxy's root"
        " certificate (.pem, from IT), or use Python 3.11.9, 3.12.3 or newer.",
    )


def certificates(named: Mapping[str, bool]) -> Symptom:
    """Certificate settings: each name, and whether the file it points to is there."""
    lost = sorted(name for name, present in named.items() if not present)
    if lost:
        advice = "Correct the path or remove the setting: nothing can be downloaded while it stands."
        found = f"{', '.join(lost)} points to a file that is not there"
        return Symptom(name="certificates", status="fail", found=found, what_to_do=advice)
    found = f"set by {', '.join(sorted(named))}" if named else "this machine's own"
    return Symptom(name="certificates", status="ok", found=found)


def path_length(environment_path: str, outputs: str, *, windows: bool) -> Symptom:
    """Windows refuses paths of 260 characters; JupyterLab's longest file takes 155 below its environment."""
    longest = f"environment {len(environment_path)} characters, outputs {len(outputs)}"
    if windows and len(environment_path) > LONGEST_ENVIRONMENT:
        advice = "Set BELONGING_VENV to a short folder, such as C:\\belonging, and run the bootstrap again."
        return Symptom(name="path length", status="fail", found=longest, what_to_do=advice)
    if windows and len(outputs) + LONGEST_OUTPUT >= 260:
        advice = "Give a shorter folder with --out, such as C:\\belonging\\outputs."
        return Symptom(name="path length", status="warn", found=longest, what_to_do=advice)
    return Symptom(name="path length", status="ok", found=longest)


def synced_folder(folders: Mapping[str, PurePath], environ: Mapping[str, str]) -> Symptom:
    """Whether a sync client keeps any of the folders: it holds files, and copies data elsewhere."""
    kept = {what: service for what, path in folders.items() if (service := synced_by(path, environ))}
    if not kept:
        return Symptom(name="synced folder", status="ok", found="none")
    return Symptom(
        name="synced folder",
        status="warn",
        found=", ".join(f"{what} is kept by {service}" for what, service in sorted(kept.items())),
        what_to_do="Pupil-level data must not lie there. Give a local folder with --data and --out, or move"
        " the checkout; pause the sync client where a rename fails.",
    )


def writing(facts: Writing) -> Symptom:
    """Files in the output folder must be writable and renameable: that is how no half file is left."""
    if not facts.writable:
        advice = "Give a folder of your own with --out."
        found = f"{facts.folder}: cannot write ({facts.trouble})"
        return Symptom(name="writing", status="fail", found=found, what_to_do=advice)
    if not facts.renames:
        advice = "Close programs that hold files there (Excel, a sync client, a virus scanner), or use --out."
        found = f"{facts.folder}: a written file cannot be renamed ({facts.trouble})"
        return Symptom(name="writing", status="fail", found=found, what_to_do=advice)
    return Symptom(name="writing", status="ok", found=f"{facts.folder}: files can be written and renamed")


def free_space(free: int, folder: str) -> Symptom:
    """At least 0.5 GB for a run; 2 GB where the environment is not made yet. ``free`` in bytes."""
    found = f"{free / 1e9:.1f} GB in {folder}"
    if free < 500e6:
        advice = "Free some space or give another folder with --out."
        return Symptom(name="free space", status="fail", found=found, what_to_do=advice)
    if free < SPACE_NEEDED:
        advice = "Enough to run, not to install the environment anew (2 GB)."
        return Symptom(name="free space", status="warn", found=found, what_to_do=advice)
    return Symptom(name="free space", status="ok", found=found)


def kernel(spec: str | None, command: Sequence[str], executable: str, *, own: bool) -> Symptom:
    """The notebooks' kernel ``python3``: there, and of this interpreter (a user's own spec may shadow it)."""
    if spec is None:
        advice = "Run the bootstrap again; it installs ipykernel, which brings the kernel."
        found = "no `python3` kernel"
        return Symptom(name="notebook kernel", status="fail" if own else "warn", found=found, what_to_do=advice)
    first = command[0] if command else ""
    # Jupyter replaces a bare `python` by the interpreter it runs on itself.
    bare = re.fullmatch(r"python(3(\.\d+)?)?(\.exe)?", first) is not None
    if bare or first == executable:
        return Symptom(name="notebook kernel", status="ok", found=f"python3, of {executable}")
    advice = f"Rename or delete the folder of {spec}: notebooks would run in another Python."
    return Symptom(name="notebook kernel", status="fail", found=f"python3 starts {first}", what_to_do=advice)


def power(cores: int, memory: int | None) -> Symptom:
    """Cores and memory (bytes); a run needs about 2 GB with two jobs."""
    found = f"{cores} core(s), {'memory unknown' if memory is None else f'{memory / 1e9:.0f} GB memory'}"
    if memory is not None and memory < 4e9:
        return Symptom(name="power", status="warn", found=found, what_to_do="Use --jobs 1.")
    return Symptom(name="power", status="ok", found=found)


def browser(path: str | None) -> Symptom:
    """Chromium is needed by the page tests only; pages open in any browser."""
    if path is None:
        advice = "Only the page tests need it; they are skipped without. Debian: `apt install chromium`."
        return Symptom(name="browser for tests", status="ok", found="none", what_to_do=advice)
    return Symptom(name="browser for tests", status="ok", found=path)


def encoding(stdout: str, files: str) -> Symptom:
    """Text outside the console's own letters is shown as `?`; files are always UTF-8."""
    found = f"console {stdout}, file names {files}"
    if "utf" not in stdout.lower() or "utf" not in files.lower():
        advice = "Some signs show as `?` in this window; pages and files are not touched. PYTHONUTF8=1 mends it."
        return Symptom(name="encoding", status="warn", found=found, what_to_do=advice)
    return Symptom(name="encoding", status="ok", found=found)


def try_writing(folder: Path) -> Writing:
    """Write, rename and remove a small file and folder in ``folder``, or its nearest parent that exists."""
    place = next(each for each in (folder, *folder.resolve().parents) if each.is_dir())
    try:
        trial = Path(tempfile.mkdtemp(prefix=".doctor-", dir=place))
    except OSError as error:
        return Writing(folder=str(place), writable=False, renames=False, trouble=str(error.strerror))
    renamed = trial.with_name(f"{trial.name}-renamed")
    try:
        (trial / "file").write_text("trial", encoding="ascii")
        (trial / "file").replace(trial / "renamed")
        trial.rename(renamed)
    except OSError as error:
        return Writing(folder=str(place), writable=True, renames=False, trouble=str(error.strerror))
    finally:
        for each in (trial, renamed):
            shutil.rmtree(each, ignore_errors=True)
    return Writing(folder=str(place), writable=True, renames=True)


def find_kernel(folders: Iterable[Path]) -> tuple[str | None, tuple[str, ...]]:
    """The first ``python3`` kernel spec below Jupyter's data folders, and its command."""
    for folder in folders:
        spec = folder / "kernels" / "python3" / "kernel.json"
        if spec.is_file():
            try:
                command = json.loads(spec.read_text(encoding="utf-8"))["argv"]
            except (ValueError, KeyError, OSError):
                return str(spec), ()
            return str(spec), tuple(map(str, command))
    return None, ()


def jupyter_folders(environ: Mapping[str, str], home: Path, prefix: Path, *, own: bool) -> tuple[Path, ...]:
    """Jupyter's data folders in its own order: an environment's before the user's, the machine's last."""
    named = tuple(Path(each) for each in environ.get("JUPYTER_PATH", "").split(os.pathsep) if each)
    if environ.get("JUPYTER_DATA_DIR"):
        user = Path(environ["JUPYTER_DATA_DIR"])
    elif environ.get("APPDATA"):
        user = Path(environ["APPDATA"]) / "jupyter"
    elif sys.platform == "darwin":
        user = home / "Library" / "Jupyter"
    else:
        user = Path(environ.get("XDG_DATA_HOME", home / ".local" / "share")) / "jupyter"
    inside = prefix / "share" / "jupyter"
    prefers = {"1": True, "0": False}.get(environ.get("JUPYTER_PREFER_ENV_PATH", ""), own)
    return (*named, *((inside, user) if prefers else (user, inside)), Path("/usr/local/share/jupyter"))


def memory_bytes() -> int | None:
    """This machine's memory in bytes, or None where the standard library cannot tell (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def installed_versions() -> dict[str, str]:
    """Versions of installed distributions by normalised name."""
    found = ((each.metadata["Name"], each.version) for each in importlib.metadata.distributions())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found if name}


def examine(out: Path) -> tuple[Symptom, ...]:
    """Look at this machine, this interpreter and the output folder; writes nothing that stays."""
    environ, windows, own = os.environ, os.name == "nt", sys.prefix != sys.base_prefix
    installed, outputs = installed_versions(), out.resolve()
    constraints = CHECKOUT / "constraints.txt"
    pinned = pinned_versions(constraints.read_text(encoding="utf-8")) if constraints.is_file() else {}
    place = next(each for each in (outputs, *outputs.parents) if each.exists())
    proxies = [name for name in PROXY_NAMES if environ.get(name)]
    proxies += [] if proxies else [f"system setting ({kind})" for kind in urllib.request.getproxies()]
    home = environment_folder(CHECKOUT, windows=windows, environ=environ)
    specs = jupyter_folders(environ, Path.home(), Path(sys.prefix), own=own)
    return (
        python_version(sys.version_info[:3], struct.calcsize("P") * 8),
        environment(sys.prefix, own=own),
        packages(pinned, installed, own=own),
        proxy(proxies, installed.get("pip")),
        certificates({name: Path(environ[name]).exists() for name in CERTIFICATE_NAMES if environ.get(name)}),
        path_length(sys.prefix if own else str(home), str(outputs), windows=windows),
        synced_folder({"the checkout": CHECKOUT, "the output folder": outputs}, environ),
        writing(try_writing(out)),
        free_space(shutil.disk_usage(place).free, str(place)),
        kernel(*find_kernel(specs), sys.executable, own=own),
        power(os.cpu_count() or 1, memory_bytes()),
        browser(next((found for name in BROWSERS if (found := shutil.which(name))), None)),
        encoding(sys.stdout.encoding or "unknown", sys.getfilesystemencoding()),
    )


def report(symptoms: Sequence[Symptom]) -> str:
    """The symptoms as lines for a terminal, what to do below each, and a count at the end."""
    lines = [f"belonging doctor on {platform.platform(terse=True)}"]
    for symptom in symptoms:
        lines.append(f"  {symptom.status:5} {symptom.name:18} {symptom.found}")
        if symptom.what_to_do:
            lines.append(f"{'':26}{symptom.what_to_do}")
    count = {status: sum(each.status == status for each in symptoms) for status in ("ok", "warn", "fail")}
    lines.append(f"{count['ok']} ok, {count['warn']} to look at, {count['fail']} that stop the project")
    return "\n".join(lines)


def exit_code(symptoms: Sequence[Symptom]) -> int:
    """1 where anything stops the project, else 0."""
    return int(any(symptom.status == "fail" for symptom in symptoms))


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def main() -> int:
    """Print the report; returns the exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    symptoms = examine(Path("outputs"))
    print(report(symptoms))
    return exit_code(symptoms)


if __name__ == "__main__":
    sys.exit(main())
