"""The rehearsal: simulated days of the production code with the user's workflow files, against the stand-ins."""
