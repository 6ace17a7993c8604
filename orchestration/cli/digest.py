"""`millpond digest`: print the message for each steward of the workflows, or send it.

decisions of the last runs  ->  Digest  ->  lines, or mail
"""

from dataclasses import asdict

from assets.result_texts import counted
from orchestration.alerts.digest_job import found_digests, send_digests
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from orchestration.workflow_files import load_workflows


@with_json
def digest(*, send: bool = False) -> int:
    """Print the digest of each steward, or send it.

    Args:
        send: Send each digest by mail to its steward (MILLPOND_ALERT_MAIL_…), or to Slack if no mail is configured.
    """
    settings = MillpondSettings()
    workflows, _ = load_workflows(settings.workflows)
    if not any(each.spec.stewards for each in workflows):
        print_problems(["no workflow file names a steward; add `stewards: [ada@example.com]` to one"])
        return USAGE
    warehouse = warehouse_of(settings)
    found = found_digests(warehouse, workflows, settings) if warehouse.exists() else []
    note(digests=[asdict(each) for each in found])
    for each in found:
        print_line(f"{each.steward}: {counted(each.records, 'records')}", "bold")
        for cause in each.causes:
            since = f" (since {cause.since})" if cause.since else ""
            print_wrapped(f"{cause.workflow}: {cause.text}{since}", indent=2)
            for line in (*([cause.task] if cause.task else []), *cause.lines):
                print_wrapped(line, indent=6)
    if not found:
        print_line("nothing is held back that a steward could correct; no digest is sent")
    if not send:
        return CLEAN
    try:
        problems = send_digests(found, settings)
    except ValueError as error:
        print_problems([str(error)])
        return USAGE
    print_problems(problems)
    return FAILED if problems else CLEAN
