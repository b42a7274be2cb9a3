"""A process that imported Keras and did nothing else, and whose copies run code. `helpers.with_keras` starts it.

Each message on the socket that it inherits has the code, its words, its folder and its environment, and four files:
standard input, output and error of the copy, and a pipe that gets the copy's number and, when it ends, its exit code.
"""

import gc
import json
import os
import signal
import socket
import sys
import types


def main() -> None:
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    gc.freeze()  # a search for garbage would write into each page of memory, and so copy it
    requests = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers of the copies
    while True:
        message, files, _, _ = socket.recv_fds(requests, 2**20, 4)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            keep(message, *files)
            return
        for file in files:
            os.close(file)


def keep(message: bytes, *files: int) -> None:
    """Start the copy that runs the code, and tell its end; in the copy, run the code."""
    *streams, answers = files
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child:
        for file in streams:
            os.close(file)
        os.write(answers, f"{child}\n".encode())
        status = os.waitpid(child, 0)[1]
        os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    os.close(answers)
    for number, file in enumerate(streams):
        os.dup2(file, number)
        os.close(file)
    code, words, folder, environment = json.loads(message)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *words]
    sys.path[0] = ""
    sys.modules["__main__"] = types.ModuleType("__main__")  # without a file, as that of `python -c`
    exec(compile(code, "<string>", "exec"), vars(sys.modules["__main__"]))


if __name__ == "__main__":
    main()
