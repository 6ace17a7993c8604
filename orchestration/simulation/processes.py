"""A run in this process, or in one that really dies.

run(world, run_id, death)  ->  Night; with `kills`, a run that dies is a child process that gets SIGKILL

Without `kills` a death is an exception that no production code catches, after which the warehouse accepts nothing and
everything is opened again. Both leave the same files, which a test compares.
"""

import multiprocessing
import random
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from assets.delivery.ledger.plans import find
from assets.delivery.send.apply import run_sync
from orchestration.operator_jobs.plan_actions import record_approval
from orchestration.simulation.night import EXPECTED, FAILED, End, Night, context_of, run_night, sent
from orchestration.simulation.options import Options
from orchestration.simulation.weather import Death
from orchestration.simulation.world import World, usable_workflows
from resources import failpoints


def run(world: World, run_id: str, death: Death | None) -> Night:
    """Run everything once; with a death, until the process reaches its failpoint."""
    if death and world.options.kills:
        return _run_in_child(world, run_id, death)
    try:
        if death:
            failpoints.arm(death.failpoint, skip=death.skip, strike=world.warehouse.die)
        return run_night(world, run_id)
    finally:
        failpoints.disarm()
        world.reopen()


def _run_in_child(world: World, run_id: str, death: Death) -> Night:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (sender, world.folder, world.options, world.clock.offset, run_id, death)
    child = context.Process(target=_child, args=arguments)
    child.start()
    sender.close()
    try:
        night: Night = receiver.recv()
    except EOFError:
        night = Night(run_id, died=True)
    child.join()
    world.reopen()
    return night


def _child(sender: Connection, folder: Path, options: Options, offset: timedelta, run_id: str, death: Death) -> None:
    world = World(folder, options, usable_workflows(options.workflows, options.only))
    world.clock.offset = offset
    failpoints.arm(death.failpoint, skip=death.skip)
    sender.send(run_night(world, run_id))
    sender.close()


def approve(world: World, run_id: str, workflow: str, plan_id: str) -> End:
    """Send a plan that waits, as `millpond apply` does."""
    chosen, state = next(each for each in world.workflows if each.name == workflow), random.getstate()
    random.seed(f"{world.options.seed} {run_id}")
    try:
        with world.warehouse.kept_open(), world.clients() as clients:
            with world.warehouse.writer() as con:
                record_approval(con, find(con, plan_id), (), run_id, "an operator", world.now)
            context = context_of(world, chosen, clients[chosen.spec.connection_name], run_id)
            return sent(run_sync(context, plan_id=plan_id))
    except EXPECTED as error:
        return End(FAILED, f"{type(error).__name__}: {error}")
    finally:
        random.setstate(state)
