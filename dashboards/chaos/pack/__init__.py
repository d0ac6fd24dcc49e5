"""The handlers that nodes run while they are being broken. In a folder of their own: a node loads them as a file."""
