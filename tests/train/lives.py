"""Processes that train and are killed; not tests, but what `test_killed.py` starts.

A life is one call of the command line in a process of its own. Most are forked from a server that
has imported everything already, as starting Python takes longer than a hundred steps.
"""

import multiprocessing
import os
import signal
import time
from pathlib import Path

from minigan.cli import run
from minigan.train import files, records
from minigan.train.checkpoints import Checkpoints

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.train.lives", "minigan.train.loop", "sklearn.datasets"])


def start(work, *arguments):
    """Start `work(*arguments)` in a process of its own."""
    process = CONTEXT.Process(target=work, args=arguments)
    process.start()
    return process


def ended(process, *, within=60):
    """Wait for a process and return its exit code, -9 if it was killed."""
    process.join(within)
    code = process.exitcode
    process.close()
    return code


def live(command):
    """Run the command line to its end."""
    os._exit(run(command))


def live_slowly(command, seconds):
    """The same on a disk that is slow, so that most of the time goes into writing."""
    fsync = os.fsync

    def slow(descriptor):
        time.sleep(seconds)
        fsync(descriptor)

    files.os.fsync = slow
    live(command)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def live_until(command, moment):
    """Run the command line until one of the moments below, in the writing of step 3."""
    MOMENTS[moment]()
    live(command)


def _half_a_checkpoint():
    """While the data go to the disk: of the temporary file there is a half."""
    _at_sync("step-000003.safetensors")


def _half_a_picture():
    _at_sync("step-000003.png")


def _at_sync(name):
    fsync = os.fsync

    def cut(descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        if path.startswith(f".{name}."):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            die()
        fsync(descriptor)

    files.os.fsync = cut


def _before_the_move():
    replace = os.replace

    def dying(source, target):
        if Path(target).name == "step-000003.safetensors":
            die()
        replace(source, target)

    files.os.replace = dying


def _after_the_move():
    replace = os.replace

    def dying(source, target):
        replace(source, target)
        if Path(target).name == "step-000003.safetensors":
            die()

    files.os.replace = dying


def _before_the_pruning():
    prune = Checkpoints.prune

    def dying(self, now, **options):
        if now == 3:
            die()
        prune(self, now, **options)

    Checkpoints.prune = dying


def _after_a_removal():
    unlink = Path.unlink

    def dying(self, **options):
        unlink(self, **options)
        if self.name == "step-000002.safetensors":
            die()

    Path.unlink = dying


def _half_a_line_of_records():
    append = records.append_record

    def dying(path, record):
        if record["step"] == 3:
            with open(path, "a") as file:
                file.write('{"kind": "step", "st')
            die()
        append(path, record)

    from minigan.train import loop

    loop.append_record = dying


MOMENTS = {
    "half a checkpoint": _half_a_checkpoint,
    "half a picture": _half_a_picture,
    "before the move": _before_the_move,
    "after the move": _after_the_move,
    "before the pruning": _before_the_pruning,
    "after a removal": _after_a_removal,
    "half a line of records": _half_a_line_of_records,
}
