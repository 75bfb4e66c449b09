"""The doctor: each check with facts of a laptop that it should, and should not, complain about."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from belonging_research import doctor
from belonging_research.doctor import Symptom, Writing

REPOSITORY = Path(__file__).resolve().parents[1]
PINNED = {"pandas": "3.1.1", "types-tqdm": "4.70"}


def complains(symptom: Symptom, status: str, *words: str) -> bool:
    """Whether a symptom has a status, and says each word in what was found or is to be done."""
    text = f"{symptom.found} {symptom.what_to_do}"
    return symptom.status == status and all(word in text for word in words)


@pytest.mark.parametrize(
    ("version", "bits", "status"),
    [((3, 9, 6), 64, "fail"), ((3, 12, 4), 32, "fail"), ((3, 11, 0), 64, "ok"), ((3, 15, 0), 64, "warn")],
)
def test_python(version: tuple[int, int, int], bits: int, status: str) -> None:
    """Too old or 32 bit stops the project; newer than tried is said."""
    symptom = doctor.python_version(version, bits)
    assert symptom.status == status
    assert bool(symptom.what_to_do) is (status != "ok")


def test_environment() -> None:
    """The machine's own Python is not where the project should live."""
    assert complains(doctor.environment("/usr", own=False), "warn", "bootstrap.py")
    assert complains(doctor.environment("/home/ann/belonging/.venv", own=True), "ok")


def test_pins_are_read_by_name() -> None:
    """Names are normalised; a pin that holds on some platforms only is not asked for."""
    text = "# note\nPandas==3.1.1\ntypes_tqdm==4.70\npywinpty==3.1.2 ; os_name == 'nt'\n"
    assert doctor.pinned_versions(text) == PINNED


def test_packages() -> None:
    """Missing packages stop an environment, other versions are named, no environment yet is no fault."""
    assert complains(doctor.packages(PINNED, PINNED, own=True), "ok", "all 2")
    assert complains(doctor.packages(PINNED, {"pandas": "3.1.1"}, own=True), "fail", "1 of 2", "types-tqdm")
    assert complains(doctor.packages(PINNED, {}, own=False), "warn", "2 of 2")
    other = {**PINNED, "pandas": "3.2.0"}
    assert complains(doctor.packages(PINNED, other, own=True), "warn", "pandas 3.2.0 (pinned 3.1.1)")
    assert complains(doctor.packages({}, PINNED, own=True), "ok", "no constraints.txt")


def test_proxy() -> None:
    """A proxy matters where pip does not read the machine's certificates; its address is never shown."""
    assert complains(doctor.proxy([], "23.2.1"), "ok", "none")
    assert complains(doctor.proxy(["HTTPS_PROXY"], "23.2.1"), "warn", "HTTPS_PROXY", "PIP_CERT")
    assert complains(doctor.proxy(["HTTPS_PROXY"], None), "warn", "unknown")
    assert complains(doctor.proxy(["HTTPS_PROXY"], "24.0"), "ok")
    assert complains(doctor.proxy(["HTTPS_PROXY"], "26.1"), "ok")


def test_proxy_address_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A proxy's address often holds a password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:secret@proxy.example:8080")
    text = doctor.report(doctor.examine(tmp_path))
    assert "HTTPS_PROXY" in text
    assert "secret" not in text


def test_certificates() -> None:
    """A certificate setting that points nowhere stops every download."""
    assert complains(doctor.certificates({"PIP_CERT": False}), "fail", "PIP_CERT")
    assert complains(doctor.certificates({"PIP_CERT": True}), "ok", "PIP_CERT")
    assert complains(doctor.certificates({}), "ok")


def test_path_length() -> None:
    """Only Windows has the limit, and only long paths reach it."""
    long = "C:\\" + "x" * 150
    assert complains(doctor.path_length(long, "C:\\o", windows=True), "fail", "BELONGING_VENV")
    assert complains(doctor.path_length("C:\\v", long, windows=True), "warn", "--out")
    assert complains(doctor.path_length("C:\\v", "C:\\o", windows=True), "ok")
    assert complains(doctor.path_length(long, long, windows=False), "ok")


def test_synced_folder() -> None:
    """A synced Windows path is named with its service, and which folder it is."""
    folders = {"the checkout": PureWindowsPath(r"C:\Users\ann\OneDrive - Dorset Council\belonging")}
    assert complains(doctor.synced_folder(folders, {}), "warn", "the checkout", "OneDrive", "--out")
    assert complains(doctor.synced_folder({"the checkout": PureWindowsPath(r"C:\belonging")}, {}), "ok")


def test_writing() -> None:
    """No right to write and no right to rename are two faults with two remedies."""
    refused = Writing(folder="C:\\o", writable=False, renames=False, trouble="Access is denied")
    held = Writing(folder="C:\\o", writable=True, renames=False, trouble="file in use")
    assert complains(doctor.writing(refused), "fail", "Access is denied", "--out")
    assert complains(doctor.writing(held), "fail", "renamed", "Excel")
    assert complains(doctor.writing(Writing(folder="/o", writable=True, renames=True)), "ok")


def test_trial_leaves_nothing(tmp_path: Path) -> None:
    """The trial writes where the output folder will be, and takes everything away again."""
    facts = doctor.try_writing(tmp_path / "outputs")
    assert (facts.folder, facts.writable, facts.renames) == (str(tmp_path), True, True)
    assert not list(tmp_path.iterdir())


def test_trial_sees_a_rename_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync client that holds a file shows as a rename that fails."""

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "file in use")

    monkeypatch.setattr(Path, "replace", refuse)
    facts = doctor.try_writing(tmp_path)
    assert (facts.writable, facts.renames, facts.trouble) == (True, False, "file in use")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("free", "status"), [(4e8, "fail"), (1e9, "warn"), (5e9, "ok")])
def test_free_space(free: float, status: str) -> None:
    """Half a gigabyte to run, two to install."""
    assert doctor.free_space(int(free), "/o").status == status


def test_kernel() -> None:
    """The notebooks' kernel must be this interpreter's; a user's own spec of that name may shadow it."""
    assert complains(doctor.kernel("/s", ["python", "-m", "x"], "/v/python", own=True), "ok")
    assert complains(doctor.kernel("/s", ["/v/python"], "/v/python", own=True), "ok")
    assert complains(doctor.kernel("/s", ["/opt/other/python"], "/v/python", own=True), "fail", "/s")
    assert complains(doctor.kernel("/s", [], "/v/python", own=True), "fail", "/s")
    assert complains(doctor.kernel(None, [], "/v/python", own=True), "fail", "ipykernel")
    assert complains(doctor.kernel(None, [], "/v/python", own=False), "warn")


def test_a_users_kernel_shadows_only_where_jupyter_lets_it(tmp_path: Path) -> None:
    """In an environment its own kernel comes first; JUPYTER_PREFER_ENV_PATH=0 turns the order round."""
    prefix, home = tmp_path / "venv", tmp_path / "home"
    environ = {"JUPYTER_DATA_DIR": str(home)}
    for place, python in ((prefix / "share" / "jupyter", "python"), (home, "/opt/old/python")):
        (place / "kernels" / "python3").mkdir(parents=True)
        spec = f'{{"argv": ["{python}", "-m", "ipykernel_launcher"]}}'
        (place / "kernels" / "python3" / "kernel.json").write_text(spec, encoding="utf-8")
    first = doctor.find_kernel(doctor.jupyter_folders(environ, home, prefix, own=True))
    turned = {**environ, "JUPYTER_PREFER_ENV_PATH": "0"}
    other = doctor.find_kernel(doctor.jupyter_folders(turned, home, prefix, own=True))
    assert (first[1][0], other[1][0]) == ("python", "/opt/old/python")
    assert doctor.find_kernel([tmp_path]) == (None, ())


def test_power_browser_encoding() -> None:
    """Little memory and a narrow console are said; a missing browser is no fault."""
    assert complains(doctor.power(2, 2 * 10**9), "warn", "--jobs 1")
    assert complains(doctor.power(4, None), "ok", "unknown")
    assert complains(doctor.browser(None), "ok", "skipped")
    assert complains(doctor.encoding("cp1252", "utf-8"), "warn", "PYTHONUTF8")
    assert complains(doctor.encoding("utf-8", "utf-8"), "ok")


def test_report_and_exit_code() -> None:
    """What to do stands below what was found; only what stops the project gives exit code 1."""
    well = Symptom(name="Python", status="ok", found="3.12.4")
    ill = Symptom(name="writing", status="fail", found="refused", what_to_do="Use --out.")
    text = doctor.report([well, ill])
    assert text.index("refused") < text.index("Use --out.")
    assert text.endswith("1 ok, 0 to look at, 1 that stop the project")
    assert (doctor.exit_code([well]), doctor.exit_code([well, ill])) == (0, 1)


def test_runs_where_nothing_is_installed(tmp_path: Path) -> None:
    """In an interpreter without site-packages it still says what is wrong, without a traceback."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-S", "-m", "belonging_research.doctor"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "that stop the project" in done.stdout
    assert done.stderr == ""
