"""The kit for emulators: a service's rules as a Starlette app, everything around them from here.

An emulator is a list of Starlette routes handed to `Emulator`. The kit adds Basic authentication, a settable
clock, limits, a fault plan, a log of every request as it arrived, endpoints below `/_emulator` that steer all
of that from another process, and a real uvicorn server that binds loopback only. It is for tests and
demonstrations; nothing that carries records imports it. Needs the extra `emulator`: pip install
'haulier[emulator]'
"""

from __future__ import annotations

from haulier.testing.emulator.errors import EmulatorError, MissingExtraError, require_extra

require_extra()

# What follows imports Starlette and uvicorn, so it comes after the check that names the extra.
from haulier.testing.emulator.answer import Answer  # noqa: E402
from haulier.testing.emulator.auth import BasicAuth  # noqa: E402
from haulier.testing.emulator.clock import Clock  # noqa: E402
from haulier.testing.emulator.emulator import Emulator, refuse_json  # noqa: E402
from haulier.testing.emulator.faults import Fault, FaultPlan, parse_faults  # noqa: E402
from haulier.testing.emulator.limits import Limits  # noqa: E402
from haulier.testing.emulator.log import LoggedRequest, RequestLog  # noqa: E402
from haulier.testing.emulator.server import Server, run_forever, serve  # noqa: E402

__all__ = [
    "Answer",
    "BasicAuth",
    "Clock",
    "Emulator",
    "EmulatorError",
    "Fault",
    "FaultPlan",
    "Limits",
    "LoggedRequest",
    "MissingExtraError",
    "RequestLog",
    "Server",
    "parse_faults",
    "refuse_json",
    "run_forever",
    "serve",
]
