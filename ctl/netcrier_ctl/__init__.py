"""netctl, the one client of Netcrier's daemons."""
