"""The real cores of a hub and its nodes in a world without sockets, threads or clocks."""
