"""Just enough of SIP to ask the carrier's door for a number and hear yes or no."""

from __future__ import annotations

import re
import socket
import uuid

_SDP = """\
v=0\r
o=c 1 1 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio 9 RTP/AVP 0\r
"""


def invite(port: int, did: str, *, number: str = "+33123456789", name: str = "") -> int:
    """The final status of a call to that number; an answered one is acknowledged and left open."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(5)
        me = line.getsockname()[1]
        uri, branch, call = f"sip:{did}@127.0.0.1:{port}", uuid.uuid4().hex, uuid.uuid4().hex
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')

        def request(method: str, to: str, body: str = "") -> bytes:
            return (
                f"{method} {uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{me};rport;branch=z9hG4bK{branch}\r\n"
                "Max-Forwards: 70\r\n"
                f'From: "{quoted}" <sip:{number}@127.0.0.1>;tag={branch[:8]}\r\n'
                f"To: {to}\r\n"
                f"Call-ID: {call}\r\n"
                f"CSeq: 1 {method}\r\n"
                f"Contact: <sip:caller@127.0.0.1:{me}>\r\n"
                + ("Content-Type: application/sdp\r\n" if body else "")
                + f"Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode()

        line.sendto(request("INVITE", f"<{uri}>", _SDP), ("127.0.0.1", port))
        while True:
            answer = line.recv(8192).decode(errors="replace")
            status = int(answer.split()[1])
            if status >= 200:
                to = re.search(r"(?im)^To: *(.*?)\r?$", answer)
                assert to is not None
                # Same branch for a refusal, as RFC 3261 17.1.1.3 says; Asterisk takes it for
                # an answer too.
                line.sendto(request("ACK", to[1]), ("127.0.0.1", port))
                return status
