"""What is measured: nginx as a plain proxy, and the router in two configurations. Each knows how it is started and
which request asks it for what."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import Process

KEY = "sk-bench"
PROVIDERS, KEYS_EACH = 5, 10

_NGINX = """
daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 20m; client_body_buffer_size 256k;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 2048; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; tcp_nodelay on;
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
"""

_PROVIDER = """
[providers.bench{number}]
wire = "openai"
base_url = "http://127.0.0.1:{upstream}/p{number}/v1"
keys = [{keys}]
account = "per-key"
embed_model = "bench-embed"
[providers.bench{number}.limits]
rpm = 6000000
month = 2000000000
[[providers.bench{number}.models]]
id = "bench-{number}"
context = 131072
max_output = 8192
tools = true
json_schema = true
reasoning = false
tier = 3
price = [0.0, 0.0]
limits = {{ rpm = 6000000, rpd = 1000000000, tpm = 6000000000, tpd = 1000000000000, concurrency = 5000 }}
"""


@dataclass
class Target:
    """One gateway, running. ``translates``: it takes the Anthropic API; otherwise it is asked for the OpenAI one."""

    name: str
    title: str
    port: int
    process: Process
    translates: bool
    ready_seconds: float
    memory: dict[str, float] = field(default_factory=dict)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx_path() -> str:
    """Where nginx is, empty where it is not installed."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or ""


def start_nginx(work: Path, upstream: int, cpu: int) -> Target:
    port = free_port()
    work.mkdir()
    user = "user root; " if os.getuid() == 0 else ""
    (work / "nginx.conf").write_text(user + _NGINX.format(work=work, upstream=upstream, port=port))
    command = [nginx_path(), "-c", str(work / "nginx.conf"), "-p", str(work), "-e", str(work / "error.log")]
    process = Process(command, cpu, log=work / "log")
    return Target("nginx", "nginx", port, process, False, wait_for(process, port, "/"))


def start_router(work: Path, upstream: int, cpu: int, *, full: bool) -> Target:
    """``full``: five providers with ten keys each and limits on everything; otherwise one local provider."""
    port = free_port()
    work.mkdir()
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    env |= {"HERMES_HOME": str(work), "HOST": "127.0.0.1", "PORT": str(port), "PROXY_API_KEYS": KEY, "SANDBOX": "0"}
    if full:
        (work / "hermes-router.toml").write_text(full_configuration(upstream))
    else:
        env |= {
            "LOCAL_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
            "LOCAL_MODEL": "bench-1",
            "LOCAL_EMBED_MODEL": "bench-embed",
            "LOCAL_SUPPORTS_TOOLS": "1",
            "LOCAL_REASONING": "0",
        }
    process = Process([sys.executable, "-m", "hermes_router", "serve"], cpu, env=env, cwd=work, log=work / "log")
    name = "full" if full else "plain"
    title = f"router, {PROVIDERS} providers x {KEYS_EACH} keys" if full else "router, one provider"
    return Target(name, title, port, process, True, wait_for(process, port, "/ready"))


def full_configuration(upstream: int) -> str:
    """A hermes-router.toml that leaves nothing out: every window is declared, so every call is counted in each."""
    parts = []
    for number in range(1, PROVIDERS + 1):
        keys = ", ".join(f'"k-bench-{number}-{key}"' for key in range(KEYS_EACH))
        parts.append(_PROVIDER.format(number=number, upstream=upstream, keys=keys))
    return "".join(parts)


def wait_for(process: Process, port: int, path: str) -> float:
    """Seconds until ``path`` is answered with a 2xx. Raises SystemExit where it never is."""
    began = time.perf_counter()
    status: object = "no answer"
    while process.running and time.perf_counter() - began < 30:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
            if status == 200:
                return time.perf_counter() - began
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.005)
    raise SystemExit(f"bench: {path} of a target never became ready ({status}).\n{process.log.read_text()[-2000:]}")
