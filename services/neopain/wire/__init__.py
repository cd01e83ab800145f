"""Domain values to protobuf bytes and back; the messages are in ``protos/``, the generated code in ``wire.v1``."""
