-- What lib/system.lua does, for a Lua that may neither open files nor start programs: `hl resolve`, a program that the user has
-- started, does it. It reads what this writes into the preferences of Fusion, and this loads what it writes as files of Lua that
-- return one value. Preferences are written two or three times for each press of a button and never while waiting: each writing
-- goes through the queue of Resolve's windows. hlcli/cli/resolve_companion.py is the other end.
local part = ...
local host, records = part("host"), part("records")
local M = { separator = host.separator, is_windows = host.is_windows, quoted = host.quoted, getenv = host.getenv }

local PROTOCOL = 1
local KEY = "Global.hl.HlResolveMessage"
local FRESH_SECONDS = 10   -- `hl resolve` gives a sign of life every two
local ASLEEP_SECONDS = 3   -- after the machine slept, the last one is old for a moment
local ANSWER_SECONDS = 4
local TRIES = 3            -- Resolve, or a second one, may write its preferences at the same moment
local LONGEST = 196608     -- bytes of a request; 512 KiB were seen to work

-- Said where there is no way to hl.
local BY_HAND = ". By hand: `hl export VIDEO -o cut.fcpxml --for resolve` in a terminal, then File > Import > Timeline... here"

-- What a file returns; nil without one. Text only, in an empty environment: it can give values and call nothing.
local function load_value(path)
  path = path:gsub("\\", "/")
  if host.fileexists(path) == false then return nil end
  local loaded, chunk = pcall(function() return loadfile(path, "t", {}) end)
  if not loaded or type(chunk) ~= "function" then return nil end
  pcall(function() setfenv(chunk, {}) end)  -- Lua 5.1 takes no environment above
  local ran, value = pcall(chunk)
  if ran then return value end
  return nil
end

-- Where `hl resolve` may write. What the installer knows comes first: Resolve does not see the environment of a shell.
local function folders()
  local list = {}
  local function add(folder, rest)
    if folder and folder ~= "" then list[#list + 1] = (folder .. (rest or "")):gsub("\\", "/") end
  end
  add(host.mailbox)
  add(host.getenv("LOCALAPPDATA"), "/hl-resolve")
  add(host.getenv("XDG_CACHE_HOME"), "/hl-resolve")
  add(host.getenv("HOME"), host.is_mac() and "/Library/Caches/hl-resolve" or "/.cache/hl-resolve")
  return list
end

-- What `hl resolve` says of itself, and its folder; nil and a reason if it does not run.
local function companion()
  local reason = "start `hl resolve` in a terminal, leave it open, and choose this entry again"
  for _, folder in ipairs(folders()) do
    local value = load_value(folder .. "/companion.lua")
    if type(value) == "table" and type(value.time) == "number" and math.abs(os.time() - value.time) <= FRESH_SECONDS then
      if value.protocol == PROTOCOL then return value, folder end
      reason = "this script and `hl resolve` are of two versions: run `hl plugins install resolve` again, and restart `hl resolve`"
    end
  end
  return nil, reason
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(text)
  local parts = {}
  for index = 1, #text, 3 do
    local a, b, c = text:byte(index, index + 2)
    local number = a * 65536 + (b or 0) * 256 + (c or 0)
    for place = 0, 3 do
      local digit = math.floor(number / 64 ^ (3 - place)) % 64
      parts[#parts + 1] = (place == 2 and not b or place == 3 and not c) and "=" or DIGITS:sub(digit + 1, digit + 1)
    end
  end
  return table.concat(parts)
end

-- Writes a message into the preferences; all of it is ASCII, because on Windows they are written in the code page. Returns what
-- went wrong, if that is known: a file that cannot be written is no error to Resolve.
local function say(id, key, text)
  local fusion, message = host.fusion(), id .. ":" .. key .. ":" .. base64(text)
  local saved, problem = pcall(function()
    fusion:SetPrefs(KEY, message)
    fusion:SavePrefs()
  end)
  return not saved and tostring(problem) or nil
end

local function new_id()
  return os.time() .. "-" .. (tostring({}) .. os.clock()):gsub("%W", "")
end

-- Tells `hl resolve` something until it was heard: true, or false and a reason.
local function send(key, text)
  if #text > LONGEST then return false, "these are too many clips for one request: select fewer" end
  local id, problem = new_id(), nil
  for _ = 1, TRIES do
    problem = say(id, key, text)
    local began = os.time()
    repeat
      host.wait(0.2)
      local there, reason = companion()
      if not there then return false, reason .. BY_HAND end
      for _, heard in ipairs(there.heard or {}) do
        if heard == id then return true end
      end
    until os.time() - began >= ANSWER_SECONDS
  end
  local found, profile = pcall(function() return host.fusion():MapPath("Profile:") end)
  return false, "`hl resolve` runs, but nothing that this script writes reaches it. Is Fusion.prefs in "
    .. (found and type(profile) == "string" and profile or "Fusion's profile folder")
    .. " read-only? Name that file to it: hl resolve --prefs FILE" .. (problem and " (" .. problem .. ")" or "") .. BY_HAND
end

local is_open = false

-- Whether the road is open: true, or false and a reason.
function M.ready()
  local missing = {}
  if not host.global("loadfile") then missing[#missing + 1] = "loadfile" end
  if not host.fusion() then missing[#missing + 1] = "SavePrefs" end
  if not host.field(host.global("bmd"), "wait") then missing[#missing + 1] = "bmd.wait" end
  if not host.field(host.global("os"), "time") then missing[#missing + 1] = "os.time" end
  if #missing > 0 then
    return false, "this edition of Resolve gives scripts no way to hl (" .. table.concat(missing, ", ") .. " is gone)" .. BY_HAND
  end
  local there, reason = companion()
  for _ = 1, ASLEEP_SECONDS do
    if there then break end
    host.wait(1)
    there, reason = companion()
  end
  is_open = there ~= nil
  return is_open, not is_open and reason .. BY_HAND or nil
end

-- Texts that `hl resolve` mirrors: name.txt as name.lua.
function M.read(path)
  local value = load_value((path:gsub("%.txt$", ".lua")))
  return type(value) == "string" and value or nil
end

local requests, taken = {}, nil

function M.write(path, text)
  requests[path:gsub("\\", "/")] = text
  return true
end

-- A status is removed when its result was taken, which M.finish tells; nothing else can be removed from here.
function M.remove(path)
  taken = path:gsub("\\", "/"):match("(%x+)/status%.txt$") or taken
  return false
end

function M.start(_, words)
  local folder = words[2]:gsub("\\", "/")
  taken = nil
  return send(folder:match("(%x+)$"), requests[folder .. "/request.txt"])
end

-- Called at the end of a script with all that it said. It waits for no answer: a result that is not known to be taken is offered
-- again at the next press, which is no harm.
function M.finish(text)
  if is_open then say(new_id(), taken or "-", records.text({ { "said", { text = text } } })) end
end

M.exists, M.sleep = host.fileexists, host.wait

-- `hl resolve` makes the folders: those of its jobs unasked.
function M.mkdir(path)
  if path:match("[/\\]hl%-resolve[/\\]%x+$") then return true end
  return (send("-", records.text({ { "folder", { path = path } } })))
end

function M.base()
  local there, folder = companion()
  return there and folder
end

function M.documents()
  local there = companion()
  return there and there.cut_folder
end

return M
