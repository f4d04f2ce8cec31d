"""A whole Slurm cluster on one machine, for as long as a test needs it: two nodes with a GPU each.

Nothing of it is a service: every daemon (munged, slurmctld, slurmd) is a child of the test and ends with it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "squeue",
    "scancel",
    "scontrol",
    "sinfo",
    "setpriv",
)
# Jobs' steps start Slurm's programs without SLURM_CONF: these look here.
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")
NODES = ("n1", "n2")
PATIENCE_SECONDS = 30

CONF = """
ClusterName=brainmri
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that is queued again waits for as long as the credential of its first start may still be valid.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.log
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
KillWait=10
SlurmdTimeout=10
MinJobAge=3600
SchedulerParameters=sched_interval=5,bf_interval=5,batch_sched_delay=1,sched_min_interval=0
{nodes}
PartitionName=cpu Nodes=n1,n2 Default=YES MaxTime=60
PartitionName=gpu Nodes=n1,n2 MaxTime=600
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=16000 Gres=gpu:1"


def missing() -> str | None:
    """Return why no cluster can be started here, or None where one can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if absent:
        names = ", ".join(absent)
        return f"no {names}: apt-get install slurmctld slurmd slurm-client munge"
    if os.geteuid() != 0:
        return "Slurm's daemons want root"
    if SYSTEM_CONF.is_symlink() and "brainmri" in str(SYSTEM_CONF.readlink()) and not is_alive():
        # A test that was killed has left it.
        SYSTEM_CONF.unlink()
    if SYSTEM_CONF.exists():
        return f"{SYSTEM_CONF} exists: this machine belongs to a cluster"
    return None


@contextmanager
def started(cluster, reason: str | None) -> Iterator:
    """Start a cluster for as long as the block lasts, or skip for a reason; afterwards none is left."""
    if reason:
        pytest.skip(reason)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def is_alive() -> bool:
    """Say whether a controller answers."""
    return subprocess.run(["scontrol", "ping"], capture_output=True, timeout=60).returncode == 0


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def children_of(pid: int) -> list[int]:
    """Return the process numbers of all that a process started, and they in turn."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *children_of(child)]
    return found


@dataclass
class SlurmCluster:
    """The daemons, and what a test asks of them.

    Parameters
    ----------
    folder
        For configuration, state and logs.
    """

    folder: Path
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self) -> None:
        """Start all daemons, and wait until both nodes are idle."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # munged refuses a folder that others may not pass.
        self.folder.chmod(0o755)
        self.write_configuration()
        SYSTEM_CONF.parent.mkdir(parents=True, exist_ok=True)
        SYSTEM_CONF.symlink_to(self.folder / "slurm.conf")
        munge = ["--key-file", "munge.key", "--socket", "munge.socket", "--pid-file", "munge.pid"]
        munge += ["--log-file", "munged.log", "--seed-file", "munge.seed"]
        words = [word if word.startswith("--") else str(self.folder / word) for word in munge]
        self.daemon("munged", ["munged", "--foreground", "--force", *words])
        self.wait_until(lambda: (self.folder / "munge.socket").exists(), "munged's socket")
        self.daemon("slurmctld", ["slurmctld", "-D", "-f", str(self.folder / "slurm.conf")])
        for name in NODES:
            self.start_node(name)
        self.wait_until(self.idle, "both nodes to be idle")

    def write_configuration(self) -> None:
        """Write the files that the daemons read."""
        host = socket.gethostname()
        nodes = "\n".join(NODE.format(name=name, host=host, port=free_port()) for name in NODES)
        text = CONF.format(folder=self.folder, host=host, controller_port=free_port(), nodes=nodes)
        (self.folder / "slurm.conf").write_text(text)
        # A pretended GPU is any file.
        (self.folder / "gpu").touch()
        (self.folder / "gres.conf").write_text(f"NodeName=n[1-2] Name=gpu File={self.folder}/gpu\n")
        for name in ("state", *(f"spool-{name}" for name in NODES)):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)

    def daemon(self, name: str, command: list[str]) -> None:
        """Start a daemon as a child, its output in a file; it ends with the test, however that ends."""
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        with (self.folder / f"{name}.out").open("ab") as output:
            words = ["setpriv", "--pdeathsig", "TERM", *command]
            self.daemons[name] = subprocess.Popen(words, stdout=output, stderr=output, env=environment)

    def start_node(self, name: str) -> None:
        """Start a node, for the first time or after its death."""
        self.daemon(name, ["slurmd", "-D", "-N", name, "-f", str(self.folder / "slurm.conf")])

    def kill_node(self, name: str) -> None:
        """Let a node die: its daemon, its steps and what they run, at once."""
        log = self.folder / f"slurmd-{name}.log"
        steps = [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_step_of(path, log)]
        for pid in [
            self.daemons[name].pid,
            *steps,
            *(child for step in steps for child in children_of(step)),
        ]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.daemons.pop(name).wait()

    def stop(self) -> None:
        """End everything, and leave no trace."""
        for job in self.jobs("PENDING", "RUNNING"):
            self.ask("scancel", "--signal=KILL", "--full", job)
            self.ask("scancel", job)
        for name in reversed(list(self.daemons)):
            daemon = self.daemons.pop(name)
            daemon.terminate()
            try:
                daemon.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        SYSTEM_CONF.unlink(missing_ok=True)

    def ask(self, *command: str) -> str:
        """Return what one of Slurm's programs says."""
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def idle(self) -> bool:
        """Say whether both nodes wait for work."""
        return self.ask("sinfo", "--noheader", "--Node", "--format=%N %t", "--partition=cpu").split() == [
            word for name in NODES for word in (name, "idle")
        ]

    def jobs(self, *states: str) -> dict[str, dict]:
        """Return the jobs by number: partition, state, node and comment (rule and wildcards).

        Jobs that have ended are among them, for MinJobAge; `states` names those that are wanted.
        """
        told = self.ask("squeue", "--noheader", "--states=all", "--format=%i|%P|%T|%N|%k")
        rows = [line.split("|", 4) for line in told.splitlines()]
        return {
            number: {"partition": partition, "state": state, "node": node, "comment": comment}
            for number, partition, state, node, comment in rows
            if not states or state in states
        }

    def ended(self) -> list[dict[str, str]]:
        """Return what Slurm noted about each job that has ended, one entry an end."""
        log = self.folder / "jobs.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def wait_until(self, holds, what: str, seconds: float = PATIENCE_SECONDS):
        """Return what `holds` gives once that is true."""
        until = time.monotonic() + seconds
        while not (found := holds()):
            dead = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            assert not dead, f"{dead} ended while waiting for {what}: {self.told(dead[0])}"
            assert time.monotonic() < until, f"waited {seconds} s for {what}; jobs: {json.dumps(self.jobs())}"
            time.sleep(0.2)
        return found

    def told(self, name: str) -> str:
        """Return the last lines that a daemon wrote."""
        files = [self.folder / f"{name}.out", *self.folder.glob(f"*{name}.log")]
        return "\n".join(path.read_text()[-1000:] for path in files if path.exists())


def is_step_of(process: Path, log: Path) -> bool:
    """Say whether a process is a step daemon of a node, by the log that it writes."""
    try:
        if not (process / "cmdline").read_bytes().startswith(b"slurmstepd"):
            return False
        return any(link.readlink() == log for link in (process / "fd").iterdir())
    except OSError:
        return False
