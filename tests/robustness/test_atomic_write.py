"""Files are written whole or not at all, keep what the old file had, and leave nothing behind."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hashslide import _atomic, data
from hashslide._atomic import atomic_write, check_writable
from hashslide.errors import InputError, ModelFileError, OutputError
from hashslide.model_file import load_model, save_model

IS_ROOT = os.geteuid() == 0


@pytest.fixture(params=["unnamed", "named"])
def way(request, monkeypatch):
    """Temporary files without a name, and as on a file system that does not have those."""
    if request.param == "named":
        monkeypatch.setattr(_atomic._Temporary, "_open_unnamed", lambda self, mode: None)
    return request.param


def write(path, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# What an old file has stays


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444 if IS_ROOT else 0o644, 0o666, 0o755])
def test_permissions_of_an_old_file_stay(tmp_path, way, mode):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path, b"new")
    assert (mode_of(path), path.read_bytes()) == (mode, b"new")


def test_every_writer_keeps_permissions(tmp_path, small):
    writers = {
        "m.hashslide": lambda path: save_model(path, {"a": np.zeros(3)}, {}),
        "x.txt.gz": lambda path: data.save(path, *small),
        "x.svm": lambda path: data.save(path, *small),
        "x.npz": lambda path: data.save(path, *small),
        "x.parquet": lambda path: data.save(path, *small),
        "names.txt": lambda path: data.save_names(path, ["a", "b"]),
    }
    for name, save in writers.items():
        path = tmp_path / name
        save(path)
        path.chmod(0o600)
        save(path)
        assert mode_of(path) == 0o600, name
    assert sorted(os.listdir(tmp_path)) == sorted(writers)


def test_new_files_follow_the_umask(tmp_path, way):
    old = os.umask(0o027)
    try:
        write(tmp_path / "m", b"")
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "m") == 0o640


@pytest.mark.skipif(not IS_ROOT, reason="only the administrator gives files away")
def test_the_owner_stays(tmp_path, way):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    os.chown(path, 12345, 23456)
    path.chmod(0o660)
    write(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (12345, 23456, 0o660)


def test_where_the_group_cannot_be_kept_nobody_gains_rights(tmp_path, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(0o664)

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    monkeypatch.setattr(os, "getegid", lambda: path.stat().st_gid + 1)
    write(path, b"new")
    assert (mode_of(path), path.read_bytes()) == (0o644, b"new")


def test_extended_attributes_stay(tmp_path, way):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.note", b"x")
    except (OSError, AttributeError):
        pytest.skip("this file system has none")
    write(path, b"new")
    assert os.getxattr(path, "user.note") == b"x"


def test_links(tmp_path, way):
    (tmp_path / "real").write_bytes(b"old")
    os.link(tmp_path / "real", tmp_path / "hard")
    (tmp_path / "soft").symlink_to("real")
    (tmp_path / "dangling").symlink_to("made")
    write(tmp_path / "soft", b"new")
    write(tmp_path / "dangling", b"new")
    assert (tmp_path / "soft").is_symlink() and (tmp_path / "dangling").is_symlink()
    assert (tmp_path / "real").read_bytes() == (tmp_path / "made").read_bytes() == b"new"
    assert (tmp_path / "hard").read_bytes() == b"old"  # as documented: another name keeps the old content


# What cannot be written


def test_what_is_no_regular_file_is_refused_and_stays(tmp_path, way):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "null").symlink_to("/dev/null")
    os.mkdir(tmp_path / "folder")
    for name, message in {
        "folder": "it is a folder. Give the name of a file in it",
        "pipe": "it is not a regular file. Give the name of a file",
        "null": "it is not a regular file",
        "loop": "symbolic links lead in a circle",
        "none/m": "there is no folder .*none. Create it first",
        "file/m": "there is no folder .*file. Create it first",
        "x" * 300: "File name too long. Give a shorter name",
    }.items():
        for attempt in (lambda path: write(path, b"new"), check_writable):
            with pytest.raises(OutputError, match=f"cannot write .*{message}"):
                attempt(tmp_path / name)
        with pytest.raises(ModelFileError, match=message):
            save_model(tmp_path / name, {}, {})
        with pytest.raises(OutputError, match=message):
            data.save_names(tmp_path / name, ["a"])
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "loop", "null", "pipe"]


def test_a_write_protected_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)  # what anybody but root gets
    with pytest.raises(OutputError, match=r"it is write-protected\. Give another name"):
        write(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(IS_ROOT, reason="root may write everywhere")
def test_a_write_protected_folder_is_refused(tmp_path, way):
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match=r"Permission denied\. Change the permissions"):
        write(tmp_path / "m", b"new")


@pytest.mark.parametrize("path", [3, None, b"a\0b", "a\0b", "", "\ud800", ["m"]])
def test_what_is_no_path_is_refused(path):
    for attempt in (lambda: write(path, b""), lambda: save_model(path, {}, {}), lambda: load_model(path)):
        with pytest.raises(InputError, match="the path"):
            attempt()


def test_errors_of_the_block_leave_the_old_file(tmp_path, way):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), atomic_write(path) as file:
            file.write(b"new")
            raise error
    with pytest.raises(OutputError, match=r"No space left on device\. Free some space"), atomic_write(path):
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["m"]


# Processes that are killed

WRITER = """
import signal, sys, time
from hashslide import _atomic
for end in (signal.SIGTERM, signal.SIGHUP):  # ignored where the tests run under nohup
    signal.signal(end, signal.SIG_DFL)
if sys.argv[2] == "named":
    _atomic._Temporary._open_unnamed = lambda self, mode: None
with _atomic.atomic_write(sys.argv[1]) as file:
    file.write(bytes(100_000))
    file.flush()
    print("writing", flush=True)
    time.sleep(600)
"""


def start_writer(path: Path, way: str) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(path), way]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "writing\n"
    return child


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killed_processes_leave_nothing_that_stays(tmp_path, way, end):
    """Not even a hidden file where the system can do without one; else only until the next writing."""
    path = tmp_path / "m"
    path.write_bytes(b"old")
    with start_writer(path, way) as child:
        others = [name for name in os.listdir(tmp_path) if name != "m"]
        assert len(others) == (0 if way == "unnamed" else 1)
        child.send_signal(end)
    assert path.read_bytes() == b"old"
    write(tmp_path / "other", b"new")
    assert sorted(os.listdir(tmp_path)) == ["m", "other"]


def test_files_of_living_processes_are_left_alone(tmp_path):
    with start_writer(tmp_path / "m", "named") as child:
        (temporary,) = os.listdir(tmp_path)
        write(tmp_path / "m", b"new")
        assert sorted(os.listdir(tmp_path)) == [temporary, "m"]
        child.kill()


def test_other_hidden_files_are_left_alone(tmp_path):
    names = [".hashslide-notes.tmp", ".hashslide-0123456789abcdef.tmp.gz", ".hashslide-0123456789ABCDEF.tmp"]
    for name in names:
        (tmp_path / name).touch()
    write(tmp_path / "m", b"new")
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "m"])
