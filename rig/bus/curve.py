"""Keys for a bus that is reached from other machines (ZeroMQ's CURVE).

A folder of keys holds the server's pair, the client's pair, and `authorized/` with the public keys of
those clients that may connect. Whoever has no authorised key receives nothing and can command nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from rig.errors import UserError


def make_keys(folder: Path) -> None:
    """Makes a folder of new keys.

    Raises `UserError` if there are keys in it already, a server's or a client's, or it cannot be made.
    """
    try:
        if any(folder.glob("*.key*")) or any((folder / "authorized").glob("*")):
            raise UserError(f"{folder} holds keys already; choose another folder.")
        (folder / "authorized").mkdir(parents=True, exist_ok=True, mode=0o700)
        zmq.auth.create_certificates(folder, "server")
        zmq.auth.create_certificates(folder, "client")
        for secret in folder.glob("*.key_secret"):
            secret.chmod(0o600)
        shutil.copy(folder / "client.key", folder / "authorized" / "client.key")
    except OSError as problem:
        raise UserError(f"Keys cannot be written into {folder}: {problem.strerror}.") from None


def authenticator(context: zmq.Context[Any], folder: Path) -> ThreadAuthenticator:
    """Starts the guard that admits only authorised clients to the context's CURVE sockets.

    Raises `UserError` where the folder has no server keys.
    """
    _load(folder, "server.key_secret")
    guard = ThreadAuthenticator(context)
    guard.start()
    guard.configure_curve(domain="*", location=str(folder / "authorized"))
    return guard


def use_server_keys(socket: zmq.Socket[Any], folder: Path) -> None:
    """Makes a socket that is yet to bind a CURVE server; raises `UserError` where the folder has no keys."""
    public, secret = _load(folder, "server.key_secret")
    socket.curve_publickey, socket.curve_secretkey = public, secret
    socket.curve_server = True


def use_client_keys(socket: zmq.Socket[Any], folder: Path) -> None:
    """Gives a socket that is yet to connect the client's pair and the server's public key.

    Raises `UserError` where the folder lacks one of them.
    """
    public, secret = _load(folder, "client.key_secret")
    socket.curve_publickey, socket.curve_secretkey = public, secret
    socket.curve_serverkey = _load(folder, "server.key", need_secret=False)[0]


def _load(folder: Path, name: str, need_secret: bool = True) -> tuple[bytes, bytes]:
    try:
        if (folder / name).exists() and not (folder / name).is_file():
            raise ValueError("it is not a regular file")
        public, secret = zmq.auth.load_certificate(folder / name)
    except (OSError, ValueError) as problem:
        raise UserError(
            f"{folder / name} is not a key file ({problem}); make keys with `rodent-rig keys {folder}`."
        ) from None
    if need_secret and not secret:
        raise UserError(
            f"{folder / name} holds no secret key; make keys with `rodent-rig keys {folder}`."
        )
    return public, secret or b""
