"""The device API's other side, for whoever builds an edge gateway. Needs grpcio and protobuf, and no other package."""
