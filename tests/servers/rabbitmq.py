"""RabbitMQ, one node with its own Erlang port mapper."""

from pathlib import Path

from tests.servers.programs import find
from tests.servers.shared import Running, free_port, launch, listens, wait_until


def start(folder: Path) -> Running:
    """Start a node. The wrapper changes to the user rabbitmq, so the folder must be that user's before it starts."""
    server = find("rabbitmq-server")
    port, mapper_port = free_port(), free_port()
    mapper_folder = folder / "epmd"
    mapper_folder.mkdir()
    mapper = launch([find("epmd"), "-port", str(mapper_port), "-address", "127.0.0.1"], mapper_folder)
    wait_until(lambda: listens(mapper_port), mapper, mapper_folder)
    (folder / "plugins").write_text("[].\n")
    identity = folder / "pid"
    process = launch(
        [server],
        folder,
        user="rabbitmq",
        HOME=str(folder),
        RABBITMQ_NODENAME=f"yard{port}@localhost",
        RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
        RABBITMQ_NODE_PORT=str(port),
        RABBITMQ_DIST_PORT=str(free_port()),
        ERL_EPMD_PORT=str(mapper_port),
        RABBITMQ_MNESIA_BASE=str(folder / "mnesia"),
        RABBITMQ_LOG_BASE=str(folder / "logs"),
        RABBITMQ_ENABLED_PLUGINS_FILE=str(folder / "plugins"),
        RABBITMQ_PID_FILE=str(identity),
    )
    wait_until(lambda: listens(port), process, folder)
    return Running(f"amqp://guest:guest@127.0.0.1:{port}//", [int(identity.read_text()), process.pid, mapper.pid])
