"""What makes the vectors: written from the standard alone, with no line of any codec in it.

`cbor` builds bytes (and, because half of the vectors must be wrong, builds wrong ones just as readily),
`diagnose` writes RFC 8949 diagnostic notation, `vector` and `play` are the shapes of what is stored. The other
modules hold the vectors.
"""
