"""Where the join token comes from."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from netcrier.errors import ConfigError
from netcrier.noded.trust import CREDENTIAL, pin_of, token_of

from tests import datagrams


def file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_goes_before_the_environment_and_that_before_a_credential(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert token_of("", "", environ) == ""
    file(tmp_path / CREDENTIAL, "of the credential")
    assert token_of("", "", environ) == "of the credential"
    assert token_of("of the environment", "", environ) == "of the environment"
    assert token_of("of the environment", str(file(tmp_path / "f", "of the file")), environ) == "of the file"
    assert token_of("", "", {}) == ""


def test_a_file_that_cannot_be_read_is_bad_configuration_and_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere cannot be read: No such file"):
        token_of("", str(tmp_path / "nowhere"), {})
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is no text"):
        token_of("", str(tmp_path / "bytes"), {})


def test_a_secret_that_others_can_read_is_told_without_telling_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        token_of("", str(file(tmp_path / "closed", "secret words", 0o600)), {})
        assert caplog.text == ""
        token_of("", str(file(tmp_path / "bare", "secret words", 0o644)), {})
    assert "chmod 600" in caplog.text
    assert "secret words" not in caplog.text


def test_a_token_pins_its_master() -> None:
    pin = pin_of(datagrams.token())
    assert (pin.group, pin.signing_key, pin.trust) == (datagrams.GROUP, datagrams.SIGNER.public, "token")
    assert pin.token == (datagrams.TOKEN_ID, datagrams.TOKEN_SECRET)
