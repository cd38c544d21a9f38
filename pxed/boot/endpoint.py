"""The address at which a client reached pxed: what offers and URLs name, so that they fit the client's own network."""

from __future__ import annotations

from dataclasses import dataclass

from pxed.inventory.model import Server


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of this host as a client sees it."""

    address: str  # dotted IPv4
    http_port: int = 8080
    interface: str = ""
    tftp_port: int = 69
    https_port: int = 0  # 0: there is no HTTPS listener
    https_host: str = ""  # whom the certificate is for; "": the address

    def __hash__(self) -> int:
        """Cheap: it is taken for every request."""
        return hash(self.address)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.http_port}"

    @property
    def secure_url(self) -> str:
        """The same server by HTTPS; "" where it has no such listener."""
        return f"https://{self.https_host or self.address}:{self.https_port}" if self.https_port else ""

    @property
    def tftp_url(self) -> str:
        """Port 69 is left out: some iPXE builds of the field parse no port in a tftp URL."""
        port = "" if self.tftp_port == 69 else f":{self.tftp_port}"
        return f"tftp://{self.address}{port}"


def endpoint_at(address: str, server: Server, interface: str = "") -> Endpoint:
    """The endpoint at one of our addresses, with the ports of the inventory."""
    http, tls = server.http, server.http.tls
    port, host = (tls.port, tls.host or "") if tls is not None else (0, "")
    return Endpoint(address, http.port, interface, server.tftp.port, port, host)
