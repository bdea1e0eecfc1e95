"""No secret is where another user could see it: files, arguments, logs, what netctl prints."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path

from netcrier.control.types.roster import NodeRequest
from netcrier.control.types.trust import TokenRequest
from netcrier.ids import MasterId
from netcrier.noded.journal.journal import Journal
from netcrier.noded.trust import CREDENTIAL
from netcrier.wire.token import decode_token
from netcrier_ctl.lab import Lab

from tests.site import Daemon, Site, eventually


def written(place: Path, but: str) -> str:
    """All text below a directory, but for the state directories."""
    files = [path for path in place.rglob("*") if path.is_file() and but not in path.parts]
    assert files
    return "\n".join(path.read_text(errors="replace") for path in files)


def open_files(daemon: Daemon) -> list[tuple[Path, int]]:
    """What is in the state directory, with its mode."""
    return [(path, path.stat().st_mode & 0o777) for path in daemon.state.rglob("*") if path.is_file()]


def arguments(daemon: Daemon) -> str:
    assert daemon.process
    return Path(f"/proc/{daemon.process.pid}/cmdline").read_text()


def test_keys_are_in_files_of_mode_0600_and_nowhere_else(tmp_path: Path) -> None:
    with Lab(["master", "node1", "node2"]) as lab:
        here = Site(lab, tmp_path)
        master = here.start_master()
        text = here.master.call("token.create", TokenRequest()).token
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        (credentials / CREDENTIAL).write_text(text + "\n")
        (credentials / CREDENTIAL).chmod(0o400)
        (tmp_path / "token").write_text(text)
        (tmp_path / "token").chmod(0o600)
        node = here.start_node("node1", CREDENTIALS_DIRECTORY=str(credentials))
        here.start_node("node2", NETCRIER_TOKEN_FILE=str(tmp_path / "token"))
        here.wait_enrolled()
        here.broadcast(b"no secret")
        here.wait_received(1)
        here.master.call("node.revoke", NodeRequest("node2"))
        eventually(lambda: here.master.call("keys").holding == 1, "node1 has the new key")

        token = decode_token(text)
        identity = json.loads((master.state / "identity").read_text())
        own = json.loads((node.state / "identity").read_text())
        journal = Journal(node.state / "journal.sqlite")
        keys = journal.membership(MasterId(bytes.fromhex(here.master_status().master))).keys
        journal.close()
        assert keys
        secrets = [text, own["key"], identity["signing_secret"], identity["agreement_secret"]]
        for secret in (token.secret, *(key for _, key in keys)):
            secrets += [secret.hex(), b64encode(secret).decode()]

        shown = ""
        for daemon, name in ((master, "masterd"), (node, "noded")):
            for path, mode in open_files(daemon):
                assert mode == 0o600, f"{path} has mode {mode:o}"
            shown += arguments(daemon)
            for words in (["status", "-v"], ["config", "show"], ["status", "--json"], ["token", "list"], ["keys"]):
                command = [sys.executable, "-m", "netcrier_ctl.cli", *words, "--daemon", name]
                ran = lab.run(daemon.host, command, env=daemon.environ)
                shown += ran.stdout + ran.stderr
        processes = "\n".join(
            path.read_text(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
        )
        for place in (tmp_path / "master", tmp_path / "node1", tmp_path / "node2"):
            shown += written(place, but="state")
        assert "running" in shown
        for secret in secrets:
            assert secret not in shown
            assert secret not in processes
        assert "holds" in master.stderr or "is revoked" in master.stderr
