"""Edge. From datagrams of RTP to 20 ms of a caller's audio, and back at a steady pace."""
