"""`millpond netsuite-key`: the private key of the sign-in to NetSuite, and the certificate to upload."""

from datetime import UTC, datetime
from pathlib import Path

from orchestration.cli.exit_codes import CLEAN, USAGE
from orchestration.cli.facts import with_json
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from resources.netsuite.key_pair import new_key_pair, save

FILE = "netsuite_key.pem"


@with_json
def netsuite_key(file: Path | None = None, /) -> int:
    """Make a key for the sign-in to NetSuite, and the certificate to upload.

    Args:
        file: The file of the private key; netsuite_key.pem in MILLPOND_HOME when omitted. The certificate is beside it.
    """
    path = (file or MillpondSettings().home / FILE).absolute()
    try:
        pair = new_key_pair(datetime.now(UTC))
        certificate = save(pair, path)
    except FileExistsError as error:
        print_problems([f"{error} exists and stays as it is; name another file: `millpond netsuite-key FILE`"])
        return USAGE
    except OSError as error:
        print_problems([f"{path} cannot be written: {error.strerror}; name another file"])
        return USAGE
    print_line(f"private key:  {path} (keep it on this machine)")
    print_line(f"certificate:  {certificate} (valid until {pair.expires_at:%Y-%m-%d})")
    print_wrapped(
        "1. Upload the certificate: Setup > Integration > Manage Authentication > OAuth 2.0 Client Credentials (M2M)"
        " Setup > Create New, with the integration user, its role and the integration record."
    )
    print_line("2. Set in .env the certificate id that the page then shows, and the key:")
    print_line("   NETSUITE_CERTIFICATE_ID=…")
    print_line(f"   NETSUITE_PRIVATE_KEY_FILE={path}")
    print_line("3. Check it: millpond doctor")
    return CLEAN
