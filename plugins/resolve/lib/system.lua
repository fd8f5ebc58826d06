-- Files, programs and time on all three systems. Paths are UTF-8, as Resolve has them.
local part = ...
local M = { separator = package.config:sub(1, 1) }
M.is_windows = M.separator == "\\"

local wide = M.is_windows and part("wide") or nil
local is_mac = not M.is_windows and io.open("/System/Library/CoreServices/SystemVersion.plist") ~= nil

-- Whether plain Lua on this system can open such a name.
local function is_reachable(path)
  return not M.is_windows or wide or not path:find("[\128-\255]")
end

function M.getenv(name)
  local value
  if wide then value = wide.getenv(name) else value = os.getenv(name) end
  if value == "" then return nil end
  return value
end

function M.read(path)
  if wide then return wide.read(path) end
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

-- true, false, or nil when this cannot be found out.
function M.exists(path)
  if wide then return wide.exists(path) end
  if not is_reachable(path) then return nil end
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

function M.write(path, text)
  if wide then return wide.write(path, text) end
  local file = io.open(path, "wb")
  if not file then return false end
  local written = file:write(text)
  return file:close() and written and true or false
end

function M.remove(path)
  if wide then return wide.remove(path) end
  return os.remove(path) and true or false
end

-- Lua 5.1 returns the exit status, LuaJIT may return true.
local function run(command)
  if wide then return wide.run(command) end
  local result = os.execute(command)
  return result == 0 or result == true
end

-- In quotes for the system's shell; nil for a text that has none.
function M.quoted(text)
  if not M.is_windows then return "'" .. text:gsub("'", "'\\''") .. "'" end
  if text:find('[%%"\r\n]') then return nil end
  return '"' .. text .. '"'
end

-- Makes a folder and those above it that are missing; false if it cannot be used.
function M.mkdir(path)
  local probe = path .. M.separator .. "probe.txt"
  if not M.write(probe, "hl") then
    if wide then
      for place in path:gmatch("()\\") do wide.mkdir(path:sub(1, place - 1)) end
      wide.mkdir(path)
    else
      local name = M.quoted(path)
      if name then run((M.is_windows and "mkdir " or "mkdir -p -m 700 -- ") .. name) end
    end
    if not M.write(probe, "hl") then return false end
  end
  M.remove(probe)
  return true
end

-- Starts a program that outlives this script and does not wait for it; its words go to the file `log` where the shell allows.
function M.start(program, words, log)
  local parts = { M.quoted(program) }
  for _, word in ipairs(words) do parts[#parts + 1] = M.quoted(word) end
  if #parts ~= #words + 1 then return false end
  local command = table.concat(parts, " ")
  -- Resolve's own Python must not reach into hl's.
  if M.is_windows then
    return run('set "PYTHONHOME=" & set "PYTHONPATH=" & start "hl" /min ' .. command)
  end
  return run("unset PYTHONHOME PYTHONPATH; nohup " .. command .. " >" .. M.quoted(log) .. " 2>&1 </dev/null &")
end

function M.sleep(seconds)
  local bmd = rawget(_G, "bmd")
  if bmd and pcall(function() bmd.wait(seconds) end) then return end
  if wide then
    wide.sleep(seconds)
  elseif M.is_windows then
    run("ping -n " .. seconds + 1 .. " 127.0.0.1 >NUL")
  else
    run("sleep " .. seconds)
  end
end

-- The folder that holds one folder for each job, and options.txt; nil if there is none.
function M.base()
  if M.is_windows then
    local data = M.getenv("LOCALAPPDATA") or M.getenv("TEMP")
    return data and data .. "\\hl-resolve"
  end
  local home = M.getenv("HOME")
  if is_mac then return home and home .. "/Library/Caches/hl-resolve" end
  local cache = M.getenv("XDG_CACHE_HOME") or home and home .. "/.cache"
  return cache and cache .. "/hl-resolve"
end

-- Where cuts are put that nobody chose a folder for.
function M.documents()
  local home = M.getenv(M.is_windows and "USERPROFILE" or "HOME")
  if home and M.is_windows and not is_reachable(home) then home = M.getenv("PUBLIC") end
  return home and home .. M.separator .. "hl cuts"
end

return M
