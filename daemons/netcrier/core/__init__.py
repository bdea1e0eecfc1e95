"""State machines: master/, node/, what both know. Pure: time, chance and bytes come in, datagrams and events go out."""
