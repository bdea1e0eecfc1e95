"""A site of many nodes on one machine as a measuring instrument: real daemons in a lab, what they did, what it cost."""
