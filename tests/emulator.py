"""Programs on CPUs that QEMU emulates."""
import subprocess


def emulated(cpu, *command, environment):
    result = subprocess.run(["qemu-x86_64", "-cpu", cpu, *map(str, command)], capture_output=True, text=True, timeout=300, env=environment)
    result.stderr = "".join(line for line in result.stderr.splitlines(keepends=True) if not line.startswith("qemu-x86_64: warning"))
    return result
