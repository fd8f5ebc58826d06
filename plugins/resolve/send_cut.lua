-- Export the current timeline for hl to learn from.
-- Workspace > Scripts in DaVinci Resolve 18.5 or later, free or Studio; what it says is in Workspace > Console or, where scripts
-- may not print, in a window. `hl plugins install resolve` fills in the next three lines.
local HL = "hl"  -- the program
local MAILBOX = ""  -- the folder of `hl resolve`
local PARTS = {}  -- the files of lib, each a function: a script in the sandbox of the free edition may load no other

PARTS.start(PARTS, HL, MAILBOX, "send_cut")
