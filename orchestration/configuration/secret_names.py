"""The environment variables that hold secrets, and their meaning."""

SECRETS = {
    "MILLPOND_ENCRYPTION_KEY": "Encrypts the values of plans at rest: 32 bytes in URL-safe base64. Of several,"
    " separated by commas, the first encrypts and each decrypts. Blank: not encrypted.",
    "MILLPOND_LEDGER_KEY": "Signs the ledger's checkpoints (Ed25519): 32 bytes in URL-safe base64. Of several,"
    " separated by commas, the first signs and takes over from the others. Blank: not signed.",
    "MILLPOND_WAREHOUSE_S3_KEY": "Access key of the lake's object store.",
    "MILLPOND_WAREHOUSE_S3_SECRET": "Secret key of the lake's object store.",
    "MILLPOND_UI_TOKEN": "Sign-in token of the UI. Blank: generated once, in the file ui_token in MILLPOND_HOME.",
    "MILLPOND_WEBHOOK_SECRETS": "Signs NetSuite's change notifications: the value of its API secret, 32 characters or"
    " more. Of several, separated by commas, each is accepted.",
    "MILLPOND_ALERT_WEBHOOK_URL": "Address that receives alerts as JSON.",
    "MILLPOND_ALERT_WEBHOOK_KEY": "Signs these alerts with HMAC-SHA256 in the header X-Millpond-Signature. Blank:"
    " unsigned.",
    "MILLPOND_ALERT_SLACK_URL": "Incoming webhook of a Slack channel that receives alerts.",
    "MILLPOND_ALERT_MAIL_PASSWORD": "Password of the SMTP user.",
    "NETSUITE_CLIENT_ID": "Client id of the integration record.",
    "NETSUITE_CERTIFICATE_ID": "Certificate id of the machine-to-machine setup.",
    "NETSUITE_CONSUMER_KEY": "Token-based authentication only.",
    "NETSUITE_CONSUMER_SECRET": "Token-based authentication only.",
    "NETSUITE_TOKEN_ID": "Token-based authentication only.",
    "NETSUITE_TOKEN_SECRET": "Token-based authentication only.",
    "SUITEPROJECTS_PASSWORD": "Password of the integration user.",
    "SUITEPROJECTS_KEY": "API key.",
    "SUITEPROJECTS_CLIENT_SECRET": "Secret of the OAuth 2.0 application.",
    "SUITEPROJECTS_ACCESS_TOKEN": "OAuth 2.0 access token, instead of user and password.",
    "PRECORO_TOKEN": "API token of the company.",
}
