"""Encryption at rest: readable only with a key, and keys can be rotated."""

import pytest
from cryptography.fernet import Fernet

from resources.encryption import PREFIX, Cipher, EncryptionError

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_text_is_unreadable_without_its_key() -> None:
    """The error names the setting."""
    encrypted = Cipher(OLD).encrypt("Ada Lovelace")

    assert encrypted.startswith(PREFIX)
    assert "Ada" not in encrypted
    assert Cipher(OLD).decrypt(encrypted) == "Ada Lovelace"
    for keys in ("", NEW):
        with pytest.raises(EncryptionError, match="MILLPOND_ENCRYPTION_KEY"):
            Cipher(keys).decrypt(encrypted)


def test_the_first_key_encrypts_and_each_decrypts() -> None:
    """A new key is put in front of the old one until nothing needs the old one."""
    both = Cipher(f"{NEW}, {OLD}")

    assert both.decrypt(Cipher(OLD).encrypt("x")) == "x"
    assert Cipher(NEW).decrypt(both.encrypt("x")) == "x"


def test_text_written_before_a_key_was_set_stays_readable() -> None:
    """Without a key text is stored as it is."""
    assert (Cipher().encrypt("x"), Cipher().has_key) == ("x", False)
    assert Cipher(OLD).decrypt("x") == "x"


def test_a_modified_text_is_rejected() -> None:
    """Encryption is authenticated."""
    encrypted = Cipher(OLD).encrypt("x")

    with pytest.raises(EncryptionError, match="modified"):
        Cipher(OLD).decrypt(encrypted[:-2] + ("AA" if encrypted[-2:] != "AA" else "BB"))


@pytest.mark.parametrize(
    "keys",
    ["secret", f"{NEW} {OLD}", f"{NEW};{OLD}", f"{NEW}{OLD}", NEW[:9] + "!" + NEW[9:]],
    ids=["no key", "space", "semicolon", "nothing between", "other character"],
)
def test_a_malformed_key_is_rejected(keys: str) -> None:
    """The error says what a key looks like; of two without a comma, the second would be ignored."""
    with pytest.raises(EncryptionError, match="32 bytes in URL-safe base64"):
        Cipher(keys)


def test_a_text_is_decrypted_for_what_it_was_encrypted_for() -> None:
    """Otherwise whoever can write a file could exchange the values of two records."""
    cipher = Cipher(OLD)
    of_one, of_none = cipher.encrypt("Ada", of="one"), cipher.encrypt("Ada")

    assert cipher.decrypt(of_one, of="one") == "Ada"
    for text, of in ((of_one, "two"), (of_none, "one")):
        with pytest.raises(EncryptionError, match="encrypted for another record"):
            cipher.decrypt(text, of=of)
    assert Cipher().decrypt("Ada", of="one") == "Ada"
