"""State machines of the master and the node. Pure: time, randomness and bytes come in, datagrams and events go out."""
