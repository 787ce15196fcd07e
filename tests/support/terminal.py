"""Runs a program with a terminal of its own and talks to it there.

Usage: terminal.py DIALOGUE PROGRAM [ARGUMENT...]

DIALOGUE is JSON: [[what to wait for on the terminal, what to type then], ...]. In place of typing,
"<terminate>" sends SIGTERM, "<interrupt>" sends SIGINT, "<alarm>" sends SIGALRM, "<close>" closes the terminal, and "<stop>" stops and
continues the program with the terminal's first modes, as a shell does. Standard input is /dev/null: a
program that reads a password must have opened the terminal. Prints JSON: exit code, standard output,
standard error, all text of the terminal, and true if it echoes at the end.
"""

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time

TIMEOUT_SECONDS = 60


def main():
    dialogue = json.loads(sys.argv[1])
    ours, theirs = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    modes = termios.tcgetattr(theirs)
    program = subprocess.Popen(
        sys.argv[2:],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[theirs],
        preexec_fn=take_terminal,
    )
    results = {}
    collectors = [
        threading.Thread(target=lambda n=name, s=stream: results.update({n: s.read()}))
        for name, stream in (("stdout", program.stdout), ("stderr", program.stderr))
    ]
    for collector in collectors:
        collector.start()

    screen = b""
    for expected, answer in dialogue:
        while expected.encode() not in screen.split(b"\0")[-1]:
            ready, _, _ = select.select([ours], [], [], TIMEOUT_SECONDS)
            if not ready:
                program.kill()
                sys.exit(f"waited in vain for {expected!r}; the terminal shows {screen!r}")
            screen += os.read(ours, 4096)
        screen += b"\0"  # what was waited for is not found a second time
        if answer == "<terminate>":
            program.terminate()
        elif answer == "<interrupt>":
            program.send_signal(signal.SIGINT)
        elif answer == "<alarm>":
            program.send_signal(signal.SIGALRM)
        elif answer == "<close>":
            os.close(ours)
            os.close(theirs)
            ours = None
        elif answer == "<stop>":
            program.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, program.pid, os.WSTOPPED)
            termios.tcsetattr(theirs, termios.TCSANOW, modes)
            program.send_signal(signal.SIGCONT)
        else:
            # Nobody types a secret that is shown; wine turns the echo off after the question.
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while termios.tcgetattr(theirs)[3] & termios.ECHO:
                if time.monotonic() > deadline:
                    program.kill()
                    sys.exit(f"the terminal echoes what is typed after {expected!r}")
                time.sleep(0.01)
            os.write(ours, answer.encode())
    try:
        code = program.wait(TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        sys.exit(f"the program did not end; the terminal shows {screen!r}")
    for collector in collectors:
        collector.join()
    echoes = ours is None or bool(termios.tcgetattr(theirs)[3] & termios.ECHO)
    while ours is not None and select.select([ours], [], [], 0.05)[0]:
        screen += os.read(ours, 4096)
    print(json.dumps({
        "code": code,
        "stdout": results["stdout"].decode(errors="replace"),
        "stderr": results["stderr"].decode(errors="replace"),
        "screen": screen.replace(b"\0", b"").decode(errors="replace"),
        "echoes": echoes,
    }))


main()
