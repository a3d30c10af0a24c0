"""An emulator of Imagga's API v2: a real HTTP server on a loopback address, for tests and demonstrations.

It is not the service and sees nothing in a picture; `haulier imagga emulate` says on its banner what it does
not know. Needs the extra `emulator`: pip install 'haulier[emulator]'

    with serve(ImaggaEmulator()) as server:
        ...  # server.url is the origin, DEMO_KEY and DEMO_SECRET sign in
"""

from __future__ import annotations

from haulier.testing.emulator import (
    Clock,
    EmulatorError,
    Fault,
    Limits,
    Server,
    parse_faults,
    run_forever,
    serve,
)
from haulier_imagga.emulator.emulator import DEMO_KEY, DEMO_SECRET, ENDPOINTS, ImaggaEmulator

__all__ = [
    "DEMO_KEY",
    "DEMO_SECRET",
    "ENDPOINTS",
    "Clock",
    "EmulatorError",
    "Fault",
    "ImaggaEmulator",
    "Limits",
    "Server",
    "parse_faults",
    "run_forever",
    "serve",
]
