-- What the Lua has in which this runs. Since 21.1 the free edition of Resolve runs scripts of the menu without io, os.execute,
-- require, package, ffi and debug, and shows nothing of print. What is gone differs by build, and between the menu and the
-- Console, so each thing is looked for where it is needed and nothing follows from the version.
local M = {
  mailbox = "",  -- the folder of `hl resolve`, as the installer knows it
}

-- A global, or nil. rawget does not see what a metatable of _G has; a strict metatable raises an error for what is not there.
function M.global(name)
  local found, value = pcall(function() return _G[name] end)
  if found then return value end
  return nil
end

-- A field of anything, or nil.
function M.field(object, name)
  local found, value = pcall(function() return object[name] end)
  if found then return value end
  return nil
end

function M.getenv(name)
  local found, value = pcall(function() return os.getenv(name) end)
  if found and value ~= "" then return value end
  return nil
end

local config, system = M.field(M.global("package"), "config"), M.field(M.global("jit"), "os")
if config then
  M.separator = config:sub(1, 1)
else
  M.separator = (system == "Windows" or not system and M.getenv("OS") == "Windows_NT") and "\\" or "/"
end
M.is_windows = M.separator == "\\"

-- Whether the file of a name exists; nil where this cannot be found out.
function M.fileexists(path)
  local found, answer = pcall(function() return M.global("bmd").fileexists(path) end)
  if not found or type(answer) ~= "boolean" then return nil end
  -- On Windows a name outside the code page may not be found though it is there.
  if not answer and M.is_windows and path:find("[\128-\255]") then return nil end
  return answer
end

function M.is_mac()
  if M.is_windows then return false end
  if system then return system == "OSX" end
  local mark = "/System/Library/CoreServices/SystemVersion.plist"
  local found, file = pcall(function() return io.open(mark) end)
  if found and file then file:close() end
  return found and file ~= nil or M.fileexists(mark) == true
end

-- The object of Fusion that has the preferences, or nil. Never Fusion() without a name before it: it can start a second Fusion.
function M.fusion()
  for _, name in ipairs({ "fusion", "fu", "app" }) do
    local object = M.global(name)
    if object and M.field(object, "SetPrefs") and M.field(object, "SavePrefs") then return object end
  end
  local found, object = pcall(function() return M.global("resolve"):Fusion() end)
  return found and object and M.field(object, "SetPrefs") and object or nil
end

-- Waits; false where it cannot.
function M.wait(seconds)
  return pcall(function() M.global("bmd").wait(seconds) end)
end

-- In quotes for the system's shell; nil for a text that has none.
function M.quoted(text)
  if not M.is_windows then return "'" .. text:gsub("'", "'\\''") .. "'" end
  if text:find('[%%"\r\n]') then return nil end
  return '"' .. text .. '"'
end

return M
