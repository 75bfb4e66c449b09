"""The bootstrap: where the environment goes, when it is made, and what is said when it cannot be."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace

import pytest

from belonging_research import bootstrap
from belonging_research.bootstrap import BootstrapError

SCRIPT = Path(bootstrap.__file__)
LOCAL = {"LOCALAPPDATA": r"C:\Users\ann\AppData\Local"}


def test_uses_only_the_standard_library() -> None:
    """Nothing is installed when it starts, so it may import nothing that must be, nor this package."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names


def test_parses_on_an_old_python() -> None:
    """Python 3.7 can read it as far as its own refusal, in place of a syntax error."""
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_runs_as_a_script_in_a_bare_interpreter() -> None:
    """Without site-packages, with the package's own folder first on the path, its help comes."""
    done = subprocess.run([sys.executable, "-S", str(SCRIPT), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bootstrap.py VERB" in done.stdout


def test_no_verb_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a verb it shows its usage and ends with 2."""
    assert bootstrap.start([]) == 2
    assert "doctor" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folder", "service"),
    [
        (r"C:\Users\ann\OneDrive - Dorset Council\belonging", "OneDrive"),
        (r"C:\Users\ann\Dropbox\belonging", "Dropbox"),
        (r"C:\Users\ann\Dorset\SharePoint - Evaluation\belonging", "SharePoint"),
        (r"G:\My Drive\belonging", "Google Drive"),
        (r"C:\Users\ann\iCloudDrive\belonging", "iCloud"),
        (r"C:\Users\ann\dropboxes\belonging", None),
        (r"C:\belonging", None),
    ],
)
def test_a_synced_folder_is_known_by_its_name(folder: str, service: str | None) -> None:
    """A part of the path that is, or begins with the word of, a sync client's folder."""
    assert bootstrap.synced_by(PureWindowsPath(folder), {}) == service


def test_a_renamed_onedrive_is_known_by_its_variable() -> None:
    """OneDrive sets a variable with its root, whatever the folder is called."""
    checkout, environ = (
        PureWindowsPath(r"D:\Council files\x\belonging"),
        {"OneDriveCommercial": r"d:\council files"},
    )
    assert bootstrap.synced_by(checkout, environ) == "OneDrive"
    assert bootstrap.synced_by(PureWindowsPath(r"D:\Council"), environ) is None


@pytest.mark.parametrize(
    ("checkout", "inside"),
    [
        (r"C:\belonging", True),
        (r"C:\Users\ann\OneDrive - Dorset Council\belonging", False),
        ("C:\\" + "x" * (bootstrap.LONGEST_ENVIRONMENT - len("C:\\") - len("\\.venv")), True),
        ("C:\\" + "x" * (bootstrap.LONGEST_ENVIRONMENT - len("C:\\") - len("\\.venv") + 1), False),
    ],
)
def test_windows_leaves_synced_and_long_paths(checkout: str, inside: bool) -> None:
    """On Windows the environment lies in the checkout only where pip can rename and every path fits."""
    chosen = bootstrap.environment_folder(PureWindowsPath(checkout), windows=True, environ=LOCAL)
    assert (chosen == PureWindowsPath(checkout, ".venv")) is inside
    if not inside:
        assert str(chosen).startswith(LOCAL["LOCALAPPDATA"])
        assert len(str(chosen)) <= bootstrap.LONGEST_ENVIRONMENT


def test_two_checkouts_never_share_an_environment() -> None:
    """The folder below %LOCALAPPDATA% is named by the checkout's path, which Windows reads in any case."""
    paths = [rf"C:\OneDrive\{name}" for name in ("a", "b", "A")]
    first, second, again = (
        bootstrap.environment_folder(PureWindowsPath(path), windows=True, environ=LOCAL) for path in paths
    )
    assert first != second
    assert first == again


def test_elsewhere_the_environment_lies_in_the_checkout() -> None:
    """On macOS and Linux sync clients do not hold files; BELONGING_VENV wins everywhere."""
    checkout = PurePosixPath("/home/ann/Dropbox/belonging")
    assert bootstrap.environment_folder(checkout, windows=False, environ={}) == checkout / ".venv"
    named = bootstrap.environment_folder(checkout, windows=False, environ={"BELONGING_VENV": "/opt/b"})
    assert named == PurePosixPath("/opt/b")


@pytest.mark.parametrize(
    ("version", "flags"),
    [
        ("22.3", 0),
        ("23.2.1", 0),
        ("23.3 from x", 1),
        ("24.0", 1),
        ("24.1.2", 1),
        ("24.2", 0),
        ("26.2", 0),
        ("", 0),
    ],
)
def test_truststore_is_asked_for_only_where_pip_carries_it(version: str, flags: int) -> None:
    """pip 23.3 to 24.1 carries truststore and does not use it unasked; 24.2 does so by itself."""
    assert bootstrap.truststore_flags(version) == ["--use-feature=truststore"] * flags


def test_a_python_that_is_too_old_is_told_so() -> None:
    """The refusal names what was found, what is needed and how to start another."""
    with pytest.raises(BootstrapError, match=r"This is Python 3\.9; the project needs 3\.11.*\n.*py -3\.13") as caught:
        bootstrap.check_python((3, 9), has_venv=True, has_ensurepip=True)
    assert caught.value.exit_code == 76


@pytest.mark.parametrize(("venv", "ensurepip"), [(True, False), (False, False), (False, True)])
def test_debian_without_venv_is_told_the_package(venv: bool, ensurepip: bool) -> None:
    """Debian and Ubuntu split venv and ensurepip off; the package to install is named."""
    with pytest.raises(BootstrapError, match=r"apt install python3\.12-venv"):
        bootstrap.check_python((3, 12), has_venv=venv, has_ensurepip=ensurepip)


def test_a_full_disk_is_found_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 1 GB free the installation does not begin."""
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10**9))
    with pytest.raises(BootstrapError, match=r"1\.0 GB free"):
        bootstrap.check_space(tmp_path / "not" / "there")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("output", "word"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk is full",
        ),
        (
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify"
            " failed: self signed certificate in certificate chain'))\nERROR: No matching distribution found",
            "PIP_CERT",
        ),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", "HTTPS_PROXY"),
        (
            "NewConnectionError: Failed to establish a new connection: [Errno 11001] getaddrinfo failed",
            "PIP_INDEX_URL",
        ),
        ("Could not find a version that satisfies hatchling<2 (from versions: none)", "PIP_INDEX_URL"),
        ("ERROR: [WinError 206] The filename or extension is too long", "BELONGING_VENV"),
        ("PermissionError: [WinError 5] Access is denied: 'C:\\\\x'", "pause the sync client"),
        ("ERROR: No matching distribution found for scipy==1.17.1", "64-bit Python"),
        ("something new", "doctor"),
    ],
)
def test_a_failed_installation_is_explained(output: str, word: str) -> None:
    """pip's own words are turned into what to do; the cause comes before its consequence."""
    assert word in bootstrap.diagnose(output)


def test_the_stamp_depends_on_every_part() -> None:
    """Pins, project file, Python and place each change it, and no two parts run together."""
    stamps = {bootstrap.stamp(parts) for parts in ([b"a", b"b"], [b"ab"], [b"a", b"c"], [b"", b"ab"])}
    assert len(stamps) == 4
    assert bootstrap.stamp([b"a", b"b"]) == bootstrap.stamp([b"a", b"b"])


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """A folder and the steps that `ready` takes there, with venv and pip played."""
    folder, steps = tmp_path / "venv", list[str]()

    def make(place: Path) -> None:
        steps.append("make")
        python = bootstrap.environment_python(place, windows=os.name == "nt")
        python.parent.mkdir(parents=True)
        python.touch()

    monkeypatch.setattr(bootstrap, "runs", lambda python: python.exists())
    monkeypatch.setattr(bootstrap, "make_environment", make)
    monkeypatch.setattr(bootstrap, "install", lambda python, extras: steps.append("install"))
    return folder, steps


def test_installs_once(made: tuple[Path, list[str]]) -> None:
    """The second time nothing is made or installed; with other pins it is installed again, not made anew."""
    folder, steps = made
    assert bootstrap.ready(folder) == bootstrap.ready(folder)
    assert steps == ["make", "install"]
    (folder / bootstrap.STAMP).write_text("of other pins", encoding="ascii")
    bootstrap.ready(folder)
    assert steps == ["make", "install", "install"]


def test_spark_is_added_once_and_stays(made: tuple[Path, list[str]]) -> None:
    """An environment with Spark does for every verb; one without is added to, not made anew."""
    folder, steps = made
    bootstrap.ready(folder, bootstrap.USUAL)
    bootstrap.ready(folder, bootstrap.WITH_SPARK)
    assert steps == ["make", "install", "install"]
    bootstrap.ready(folder, bootstrap.USUAL)
    bootstrap.ready(folder, bootstrap.WITH_SPARK)
    assert steps == ["make", "install", "install"]


def test_only_the_whole_of_the_tests_brings_spark_and_only_with_java(tmp_path: Path) -> None:
    """Half a gigabyte that neither a run nor the short way through the tests needs."""
    assert bootstrap.extras_for("test", [], java=True) == bootstrap.WITH_SPARK
    assert bootstrap.extras_for("test", ["-k", "spark"], java=True) == bootstrap.WITH_SPARK
    for verb, arguments, java in (("test", [], False), ("test", ["-m", "not slow"], True), ("run", [], True)):
        assert bootstrap.extras_for(verb, arguments, java=java) == bootstrap.USUAL
    java = tmp_path / "bin" / ("java.exe" if os.name == "nt" else "java")
    assert not bootstrap.has_java({"PATH": str(java.parent)})
    java.parent.mkdir()
    java.touch()
    java.chmod(0o755)
    assert bootstrap.has_java({"PATH": str(java.parent)})
    assert bootstrap.has_java({"JAVA_HOME": str(tmp_path), "PATH": ""})
    assert not bootstrap.has_java({"JAVA_HOME": str(java.parent), "PATH": str(java.parent)})


def test_an_installation_that_failed_is_done_again(
    made: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stamp is written last, so a failure or a kill leaves none that would be believed."""
    folder, steps = made

    def fail(python: Path, extras: tuple[str, ...]) -> None:
        raise BootstrapError("no network", 74)

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "install", fail)
        with pytest.raises(BootstrapError):
            bootstrap.ready(folder)
    bootstrap.ready(folder)
    assert steps == ["make", "install"]


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    """Only an environment that carries this script's stamp may be deleted."""
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(BootstrapError, match="did not make"):
        bootstrap.make_environment(tmp_path)
    assert (tmp_path / "thesis.docx").exists()


def test_pytest_gets_two_workers_unless_the_user_chose() -> None:
    """Two workers on two cores or more, a file staying with one worker, in our order; the user's own choice stands."""
    assert bootstrap.pytest_arguments(["-k", "plan"], 2) == [
        *["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-k", "plan"]
    ]
    assert bootstrap.pytest_arguments([], 1) == []
    for chosen in (["-n0"], ["-n", "4"], ["--pdb"], ["-p", "no:xdist"]):
        assert bootstrap.pytest_arguments(chosen, 8) == chosen


def test_verbs_reach_the_package() -> None:
    """`test` is pytest in the checkout, `lab` JupyterLab beside the notebooks, all else the command line."""
    python = Path("python")
    assert bootstrap.command_for(python, "run", ["--jobs", "1"]) == (
        ["python", "-m", "belonging_research", "run", "--jobs", "1"],
        None,
    )
    assert bootstrap.command_for(python, "lab", []) == (
        ["python", "-m", "jupyterlab"],
        bootstrap.CHECKOUT / "notebooks",
    )
    command, folder = bootstrap.command_for(python, "test", ["-x"])
    assert (command[:3], command[-1], folder) == (["python", "-m", "pytest"], "-x", bootstrap.CHECKOUT)


def test_exit_codes_are_passed_on() -> None:
    """The verb's exit code is the script's own, a signal's as a shell would tell it."""
    assert bootstrap.passed_on([sys.executable, "-c", "raise SystemExit(3)"], None) == 3
    if os.name != "nt":
        code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
        assert bootstrap.passed_on([sys.executable, "-c", code], None) == 128 + 15


def test_errors_end_with_words_and_a_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is a message on stderr and its exit code, without a traceback."""

    def refuse(arguments: list[str]) -> int:
        raise BootstrapError("no room", 72)

    monkeypatch.setattr(bootstrap, "start", refuse)
    with pytest.raises(SystemExit) as caught:
        bootstrap.main()
    assert (caught.value.code, capsys.readouterr().err) == (72, "error: no room\n")
