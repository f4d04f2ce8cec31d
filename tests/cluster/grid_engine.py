"""A Grid Engine on one machine, for as long as a test needs it: one node with a GPU, queues `cpu` and `gpu`.

Nothing of it is a service: its cell lies in a folder of the test, and its daemons are children of the test.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from slurm_cluster import children_of, free_port

# Where Debian's packages put them.
PROGRAMS = Path("/usr/lib/gridengine")
SHARED = Path("/usr/share/gridengine")
PATIENCE_SECONDS = 30

BOOTSTRAP = """
admin_user              none
default_domain          none
ignore_fqdn             true
spooling_method         berkeleydb
spooling_lib            libspoolb
spooling_params         {folder}/spool
binary_path             {programs}
qmaster_spool_dir       {folder}/qmaster
security_mode           none
listener_threads        1
worker_threads          1
scheduler_threads       1
"""
# Besides the defaults: root may run jobs, and what happens is seen within seconds.
CONFIGURATION = {
    "execd_spool_dir": "{folder}/execd",
    "min_uid": "0",
    "min_gid": "0",
    "load_report_time": "00:00:01",
    "reporting_params": "accounting=true reporting=false flush_time=00:00:01 accounting_flush_time=00:00:01",
}
HOST = {"hostname": "localhost", "complex_values": "gpu=1,slots=4"}
# A machine that is busy with other tests takes jobs all the same.
QUEUE = {"hostlist": "localhost", "slots": "4", "pe_list": "smp", "rerun": "TRUE", "load_thresholds": "NONE"}
PARALLEL_ENVIRONMENT = {
    "pe_name": "smp",
    "slots": "999",
    "allocation_rule": "$pe_slots",
    "job_is_first_task": "TRUE",
}


def missing() -> str | None:
    """Return why no Grid Engine can be started here, or None where one can."""
    if not all((PROGRAMS / name).exists() for name in ("sge_qmaster", "sge_execd", "qsub", "spoolinit")):
        return "no Grid Engine: apt-get install gridengine-master gridengine-exec gridengine-client"
    return None if os.geteuid() == 0 else "Grid Engine's daemons want root"


@dataclass
class GridEngine:
    """The daemons, and what a test asks of them.

    Parameters
    ----------
    folder
        For configuration, state and logs; `environment` lets any program find it there.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    daemons: list[subprocess.Popen] = field(default_factory=list)

    def start(self) -> None:
        """Start both daemons, and wait until the node takes jobs."""
        architecture = subprocess.run([SHARED / "util/arch"], capture_output=True, text=True).stdout.strip()
        self.environment = {
            **os.environ,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "SGE_ROOT": str(self.folder),
            "SGE_CELL": "default",
            "SGE_ARCH": architecture,
            "SGE_QMASTER_PORT": str(free_port()),
            "SGE_EXECD_PORT": str(free_port()),
            # In the foreground.
            "SGE_ND": "1",
        }
        self.write_cell(architecture)
        self.daemon("sge_qmaster")
        self.wait_until(lambda: self.ask("qconf", "-sh"), "the master to answer")
        self.configure()
        self.daemon("sge_execd")
        self.wait_until(lambda: "localhost" in self.ask("qhost") and self.takes_jobs(), "the node")

    def write_cell(self, architecture: str) -> None:
        """Write the files that the daemons read, and an empty data base."""
        for name in ("default/common", "qmaster/job_scripts", "spool", "execd", "bin"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "util").symlink_to(SHARED / "util")
        (self.folder / "bin" / architecture).symlink_to(PROGRAMS)
        common = self.folder / "default/common"
        (common / "bootstrap").write_text(BOOTSTRAP.format(folder=self.folder, programs=PROGRAMS))
        (common / "act_qmaster").write_text("localhost\n")
        (common / "host_aliases").write_text(f"localhost {socket.gethostname()}\n")
        changes = {name: value.format(folder=self.folder) for name, value in CONFIGURATION.items()}
        defaults = (SHARED / "default-configuration").read_text()
        configuration = self.folder / "configuration"
        configuration.write_text(changed(defaults, changes))
        resources = SHARED / "util/resources"
        spool = ["berkeleydb", "libspoolb", f"{self.folder}/spool", "init"]
        for words in (
            ["spoolinit", *spool],
            ["spooldefaults", "configuration", configuration],
            ["spooldefaults", "complexes", resources / "centry"],
            ["spooldefaults", "usersets", resources / "usersets"],
            ["spooldefaults", "managers", "root"],
        ):
            subprocess.run(words, env=self.environment, check=True, capture_output=True)

    def configure(self) -> None:
        """Tell the master of the node, its GPU and the queues."""
        self.ask("qconf", "-as", "localhost")
        timing = {
            "schedule_interval": "0:0:1",
            "schedd_job_info": "true",
            "flush_submit_sec": "1",
            "flush_finish_sec": "1",
        }
        self.give("-Msconf", changed(self.ask("qconf", "-ssconf"), timing))
        self.give("-Mc", f"{self.ask('qconf', '-sc')}gpu gpu INT <= YES JOB 0 0\n")
        self.give("-Ae", changed(self.ask("qconf", "-ae"), HOST))
        self.give("-Ap", changed(self.ask("qconf", "-ap", "smp"), PARALLEL_ENVIRONMENT))
        for name in ("cpu", "gpu"):
            queue = {"qname": name, **QUEUE}
            self.give("-Aq", changed(self.ask("qconf", "-aq", name), queue))

    def give(self, option: str, text: str) -> None:
        """Hand the master a description in a file."""
        file = self.folder / "description"
        file.write_text(text)
        done = subprocess.run(["qconf", option, file], env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"qconf {option}: {done.stdout}{done.stderr}\n{text}"

    def ask(self, *command: str) -> str:
        """Return what one of Grid Engine's programs says; its templates come through an editor."""
        environment = {**self.environment, "EDITOR": "cat"}
        return subprocess.run(command, capture_output=True, text=True, env=environment).stdout

    def takes_jobs(self) -> bool:
        """Say whether both queues are there and neither is unknown or in alarm."""
        states = [line.split() for line in self.ask("qstat", "-f").splitlines() if "@" in line]
        return len(states) == 2 and all(len(state) == 5 for state in states)

    def daemon(self, name: str) -> None:
        """Start a daemon as a child; it ends with the test, however that ends."""
        with (self.folder / f"{name}.out").open("ab") as output:
            words = ["setpriv", "--pdeathsig", "KILL", PROGRAMS / name]
            self.daemons.append(subprocess.Popen(words, stdout=output, stderr=output, env=self.environment))

    def running(self) -> dict[str, str]:
        """Return the jobs that run: the queue of each by number."""
        rows = [line.split() for line in self.ask("qstat", "-s", "r").splitlines()[2:]]
        return {row[0]: row[7].split("@")[0] for row in rows if "@" in row[7]}

    def accounted(self) -> dict[str, dict[str, str]]:
        """Return what is known of each job that has ended, by number."""
        found = {}
        for part in re.split(r"^=+\n", self.ask("qacct", "-j", "*"), flags=re.M):
            job = {
                line.split()[0]: line.split(None, 1)[1].strip() for line in part.splitlines() if " " in line
            }
            if "jobnumber" in job:
                found[job["jobnumber"]] = job
        return found

    def stop(self) -> None:
        """End everything: the daemons, their jobs, and what these started."""
        for daemon in reversed(self.daemons):
            for pid in [*reversed(children_of(daemon.pid)), daemon.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_until(self, holds, what: str) -> None:
        """Wait until `holds` gives something."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < until, f"waited in vain for {what}:\n{self.told()}"
            time.sleep(0.2)

    def told(self) -> str:
        """Return the last lines that the daemons wrote."""
        files = [
            *self.folder.glob("*.out"),
            self.folder / "qmaster/messages",
            *self.folder.glob("execd/*/messages"),
        ]
        return "\n".join(path.read_text()[-1500:] for path in files if path.exists())


def changed(description: str, values: dict[str, str]) -> str:
    """Return a description, a name and a value a line, with other values."""
    lines = []
    for line in description.replace("\\\n", " ").splitlines():
        name = line.split(None, 1)[0] if line.strip() else ""
        lines.append(f"{name} {values[name]}" if name in values else line)
    return "\n".join(lines) + "\n"
