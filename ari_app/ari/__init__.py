"""Edge. Asterisk's REST interface: from requests to the PBX and its events to our ports."""
