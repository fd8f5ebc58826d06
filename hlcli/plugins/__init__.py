"""Plugins of `hl` into the programs that edit, and out of them again.

In come the files that `plugins/NAME/plugin.toml` lists, out go files in the programs' folders with
the path of `hl` baked in, and a receipt by which they are found, compared and removed.
"""
