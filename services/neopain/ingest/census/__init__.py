"""The owner of who lies where: applies what ADT and devices say to the census on the bus."""
