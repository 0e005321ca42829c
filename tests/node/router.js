// Starts the router of serve.py once for a test file and stops it at its end.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { after, before } from "node:test";

const here = path.dirname(fileURLToPath(import.meta.url));
const python = process.env.PYTHON ?? path.join(here, "..", "..", ".venv", "bin", "python");

export const routed = { url: "", key: "" };

export function withRouter() {
  let child;
  before(async () => {
    child = spawn(python, [path.join(here, "serve.py")], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const first = await new Promise((resolve, reject) => {
      lines.once("line", resolve);
      child.once("exit", (code) => reject(new Error(`serve.py ended with ${code} before it was ready`)));
    });
    Object.assign(routed, JSON.parse(first));
  });
  after(async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin.end();
    const code = await ended;
    // The router's own checks of every stream it sent run as it stops.
    if (code !== 0) throw new Error(`serve.py ended with ${code}`);
  });
}
