"""The console script `millpond`: signals are handled before anything else is imported."""

from orchestration.cli.signals import exit_on_signals


def main() -> None:
    """Run the command line."""
    with exit_on_signals():
        from orchestration.cli.main import main as run  # late: an import takes a while and may be interrupted

        run()
