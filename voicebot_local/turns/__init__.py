"""Pure decisions about who speaks when: no clock, no I/O, no await."""
