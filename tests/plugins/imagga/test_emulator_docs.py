"""docs/emulator.md says what the code does: its examples run, its tables are complete."""

from __future__ import annotations

import base64
import http.client
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from haulier.testing.emulator import Fault
from haulier_imagga.commands import imagga
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, ENDPOINTS
from haulier_imagga.emulator.fixtures import RunningEmulator

PAGE = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text(encoding="utf-8")
FILES: dict[str, str] = dict(
    re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
)
EXAMPLES = [
    one
    for one in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    if one not in FILES.values()
]


def test_the_page_lists_every_endpoint_with_what_is_not_known() -> None:
    for endpoint in ENDPOINTS:
        methods = "\\|".join(endpoint.methods)
        assert f"| `{methods} {endpoint.path}` [{endpoint.mark}] | {endpoint.unknown} |\n" in PAGE


def test_the_page_lists_every_option_and_every_field_of_a_fault() -> None:
    command = imagga.get_command(None, "emulate")  # type: ignore[arg-type]
    assert command is not None
    told = set(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))
    names = {name for line in told for name in re.findall(r"`([^`]+)`", line)}
    assert {option for parameter in command.params for option in parameter.opts} <= names
    assert set(Fault.__struct_fields__) <= names
    assert DEMO_KEY in PAGE
    assert DEMO_SECRET in PAGE


def test_the_fixture_serves_the_tests_of_somebody_elses_package(tmp_path: Path) -> None:
    """As the page shows it: outside of this repository, with what is installed and nothing else."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


def test_every_attribute_of_the_fixture_is_on_the_page() -> None:
    named = {name for name in dir(RunningEmulator) if not name.startswith("_")}
    named |= set(RunningEmulator.__dataclass_fields__)
    assert [name for name in sorted(named) if not re.search(rf"^\| `{name}[`(]", PAGE, re.MULTILINE)] == []


def test_the_python_example_runs(capsys: Any) -> None:
    exec(compile(EXAMPLES[0], "docs/emulator.md", "exec"), {})
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


def test_the_emulator_of_ones_own_runs_and_has_about_fifty_lines() -> None:
    assert len(EXAMPLES[1].splitlines()) <= 60
    names: dict[str, Any] = {}
    exec(compile(EXAMPLES[1], "docs/emulator.md", "exec"), names)
    with names["parcels"]() as (emulator, server):
        assert [post(server.port, b"x")[0], post(server.port, b"")[0]] == [201, 400]
        emulator.clock.advance(1)
        emulator.limits.set(requests_per_second=1)
        assert [post(server.port, b"x")[0], post(server.port, b"x")] == [201, (429, TOO_MANY)]
    use = EXAMPLES[2].replace("...  # send to server.url", "drop(server.port)")
    exec(compile(use, "docs/emulator.md", "exec"), names | {"drop": drop})


TOO_MANY = b'{"problem":"more than 1 requests per second"}'


def post(port: int, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    token = base64.b64encode(b"me:secret").decode()
    try:
        connection.request("POST", "/parcels", body, {"Authorization": f"Basic {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def drop(port: int) -> None:
    try:
        post(port, b"x")
    except http.client.RemoteDisconnected:
        return
    raise AssertionError("the connection was not dropped")
