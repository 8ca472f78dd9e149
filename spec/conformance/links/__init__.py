"""The links of the runner: the same five as everybody's, with hands on what a well-behaved peer would never do.

`pipes` carry bytes (sockets, TLS); `wires` carry the bytes of frames over them (as they are, or in WebSocket messages);
`making` dials and listens. Everything that crosses is told to a `Recorder`.
"""
