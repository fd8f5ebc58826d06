"""Child processes: started, given messages, listened to, and ended for certain."""
