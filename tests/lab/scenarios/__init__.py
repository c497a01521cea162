"""What kplay must do to real Kafka clusters; each module is a group of scenarios, base.py tells how
to write one."""
