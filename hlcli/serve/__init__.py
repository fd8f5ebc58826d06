"""The local service: requests of editor panels come in, jobs run in worker processes, files go out.

Protocol: `plugins/PROTOCOL.md`. The service itself loads no network and decodes nothing, so that
neither a damaged video nor a crash takes it down.
"""
