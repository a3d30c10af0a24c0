"""syslog-ng with its `http()` destination: the peer written in C.

https://syslog-ng.github.io/admin-guide/070_Destinations/080_HTTP/README
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from processes import program, told_by
from task import Command, Task, Tool

__all__ = ["TOOLS"]

_CONFIGURATION = """\
@version: {config}
options {{
  threaded(yes); stats-freq(0); use-dns(no); dns-cache(no); keep-hostname(yes); log-fifo-size(200000);
}};
source records {{
  file("{path}" flags(no-parse) read-old-records(yes) follow-freq(1)
    log-fetch-limit(1000) log-iw-size(100000) log-msg-size(1048576));
}};
destination server {{
  http(url("{url}") method("POST") headers("Content-Type: application/json") body("$MSG")
    {batch} workers({workers}) timeout(30) persist-name("bench"));
}};
log {{ source(records); destination(server); flags(flow-control); }};
"""
_BATCHES = """body-prefix('{{"records":[') delimiter(',') body-suffix(']}}') batch-lines({lines}) batch-timeout(1000)"""


@dataclass(frozen=True, kw_only=True)
class SyslogNg:
    """Reads the file of a task as log lines and sends each untouched; it excludes nothing and keeps no ledger."""

    name: str
    workers: int

    def version(self) -> str:
        """Of the daemon, where its module `http` is there too."""
        return _told("Installer-Version") if "http" in _told("Available-Modules").split(",") else ""

    def command(self, task: Task, folder: Path) -> Command:
        """In the foreground, with all its files in `folder`. It follows the file and so never ends by itself."""
        configuration = folder / "syslog-ng.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                config=_told("Config version") or _told("Installer-Version"),
                path=task.path,
                url=task.url,
                batch=_BATCHES.format(lines=task.batch) if task.batch > 1 else "",
                workers=self.workers,
            )
        )
        argv = [program("syslog-ng"), "--foreground", "--no-caps", f"--cfgfile={configuration}"]
        argv += [f"--{name}={folder / name}" for name in ("persist-file", "pidfile", "control")]
        return Command(argv=argv, stays=True)


def _told(name: str) -> str:
    """A value of `syslog-ng --version`; empty where there is none."""
    values = dict(
        line.split(": ", 1) for line in told_by("syslog-ng", "--version").splitlines() if ": " in line
    )
    return values.get(name, "").strip()


TOOLS: tuple[Tool, ...] = (
    SyslogNg(name="syslog-ng, 4 workers", workers=4),
    SyslogNg(name="syslog-ng, 1 worker", workers=1),
    SyslogNg(name="syslog-ng, 200 workers", workers=200),
)
