"""Starts MiniStack for a sandbox: corrected, on a free port, and dead as soon as its parent is.

The parent holds the other end of standard input. When it closes, for whatever reason (a clean stop, a panic, Ctrl-C,
SIGKILL), everything in this process group goes: MiniStack and the bootstraps it runs. The first line on standard
output is `{"port": ...}`; after it, standard output is standard error, which the parent has sent to a file.
"""

import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading


def die_with_parent(directory):
    """Kills the whole process group when standard input ends. A parent that could say goodbye removes the directory
    itself; for one that was killed it is done here."""

    def watch():
        try:
            if not sys.stdin.buffer.read():
                shutil.rmtree(directory, ignore_errors=True)
        finally:
            os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def main():
    die_with_parent(os.environ.pop("WARDEN_SANDBOX_DIRECTORY"))

    # Bound here and handed over, so that no other process can take the port between choosing and listening.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    # MiniStack reads its settings when it is imported.
    os.environ["GATEWAY_PORT"] = str(port)

    import control
    import corrections
    import downloads
    import request_models
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as ministack

    # Off only for the tests that tell which correction MiniStack has come to need no more.
    application = ministack.app
    if os.environ.pop("WARDEN_SANDBOX_CORRECTIONS") == "on":
        corrections.apply()
        application = request_models.checked(downloads.ranged(application))

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)

    print(json.dumps({"port": port}), flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(serve(control.beside(application), config))


if __name__ == "__main__":
    main()
