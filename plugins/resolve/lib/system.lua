-- Files, programs and time on all three systems. Paths are UTF-8, as Resolve has them.
local part = ...
local host = part("host")
local wide = host.is_windows and part("wide") or nil

local function has(library, name)
  return host.field(host.global(library), name) ~= nil
end

-- That a function is there does not mean that it does anything: without a command, os.execute says whether there is a shell.
local function has_shell()
  if not has("os", "execute") then return false end
  local asked, answer = pcall(function() return os.execute() end)
  return not asked or answer ~= nil and answer ~= false and answer ~= 0
end

if not wide and not (has("io", "open") and has("os", "remove") and has_shell()) then return part("mailbox") end

local M = { separator = host.separator, is_windows = host.is_windows, quoted = host.quoted }
local is_mac = host.is_mac()

-- Whether plain Lua on this system can open such a name.
local function is_reachable(path)
  return not M.is_windows or wide or not path:find("[\128-\255]")
end

function M.getenv(name)
  if not wide then return host.getenv(name) end
  local value = wide.getenv(name)
  if value == "" then return nil end
  return value
end

-- Whether a script can reach hl from here.
function M.ready()
  return true
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
-- Returns true, or false and a reason.
function M.start(program, words, log)
  if M.exists(program) == false then
    return false, "hl is not where it was (" .. program .. "): run `hl plugins install resolve` again"
  end
  local parts = { M.quoted(program) }
  for _, word in ipairs(words) do parts[#parts + 1] = M.quoted(word) end
  local started = false
  if #parts == #words + 1 then
    local command = table.concat(parts, " ")
    -- Resolve's own Python must not reach into hl's.
    if M.is_windows then
      started = run('set "PYTHONHOME=" & set "PYTHONPATH=" & start "hl" /min ' .. command)
    else
      started = run("unset PYTHONHOME PYTHONPATH; nohup " .. command .. " >" .. M.quoted(log) .. " 2>&1 </dev/null &")
    end
  end
  return started, "hl cannot be started: " .. program
end

function M.sleep(seconds)
  if host.wait(seconds) then return end
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
