"""Generated from protos/neopain/wire/v1 by neopain.wire.generate."""
