-- A job of hl: a folder with a request, started in the background, looked at until it is done. A job that still runs from an
-- earlier press of the button is found again by the name of its folder, which follows from the request.
local part = ...
local system, records = part("system"), part("records")
local M = {}

local POLL_SECONDS = 1
local START_SECONDS = 60   -- Python and hl may have to be read from a slow disk
local SILENT_SECONDS = 20  -- hl gives a sign of life every second
local SPEAK_SECONDS = 15   -- never longer without a word
local KEEP_SECONDS = 86400 -- a result that nobody took is good for a day
local DEFAULT_WAIT_MINUTES = 20

local OURS = { cut_folder = true, import = true, learn_as = true, wait_minutes = true }

-- Reads options.txt: lines "name value", "#" begins a comment. Returns those for hl, those for these scripts; or nil, reason.
function M.options()
  local for_hl, ours = {}, {}
  local base = system.base()
  local text = base and system.read(base .. system.separator .. "options.txt")
  for line in ((text or "") .. "\n"):gmatch("([^\n]*)\n") do
    line = line:gsub("\r$", ""):gsub("^%s*#.*$", "")
    if line:match("%S") then
      local name, value = line:match("^%s*([%a_-]+)%s+(.-)%s*$")
      if not name or value == "" then return nil, 'options.txt: cannot read "' .. line .. '"; write it as: top 5' end
      name = name:gsub("%-", "_")
      if OURS[name] then ours[name] = value else for_hl[name] = value end
    end
  end
  return for_hl, ours
end

-- job: fields of the record "job"; files: a list of paths; options: a table. Returns the text of the request.
function M.request(job, files, options)
  local list, names = { { "job", job } }, {}
  for _, path in ipairs(files) do list[#list + 1] = { "file", { path = path } } end
  for name in pairs(options) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = { "option", { name = name, value = options[name] } } end
  return records.text(list)
end

-- The fields of status.txt with a list `warnings`; nil while there is none.
local function status_of(folder)
  local text = system.read(folder .. system.separator .. "status.txt")
  local list = text and records.parse(text)
  local status = list and records.of_kind(list, "status")[1]
  if not status or not records.numbers(status, { "time" }) then return nil end
  status.warnings = records.of_kind(list, "warning")
  return status
end

local function is_alive(status)
  return status and status.state == "running" and math.abs(os.time() - status.time) <= SILENT_SECONDS
end

-- Whether a job ended while nobody looked. What was taken has no status any more: see M.run.
local function is_unclaimed(status)
  return status and status.state == "done" and math.abs(os.time() - status.time) <= KEEP_SECONDS
end

local function said(status)
  local text = status.stage or "working"
  if tonumber(status.total) and tonumber(status.total) > 0 and tonumber(status.done) then
    text = text .. string.format(" %.0f%%", 100 * status.done / status.total)
  end
  if status.file then
    local name = status.file:match("([^/\\]+)$") or status.file
    text = name .. ": " .. text
    if tonumber(status.count) and tonumber(status.count) > 1 then
      text = text .. " (" .. status.number .. " of " .. status.count .. ")"
    end
  end
  return text
end

-- Looks at a job until it ends. Returns its last status, or nil and a reason.
local function wait(folder, wait_seconds, say)
  local began, spoke, last, silent, status = os.time(), os.time(), nil, 0, nil
  while true do
    local now = os.time()
    status = status_of(folder) or status
    if status and status.state ~= "running" then return status end
    if not status then
      if now - began > START_SECONDS then
        local log = system.read(folder .. system.separator .. "log.txt") or ""
        return nil, "hl did not start: " .. (log:match("([^\n]+)\n*$") or "it said nothing")
          .. ". Run `hl doctor` in a terminal"
      end
    else
      -- Several looks: after the machine slept, the last sign of life is old for a moment.
      silent = is_alive(status) and 0 or silent + 1
      if silent > SILENT_SECONDS / POLL_SECONDS then
        return nil, "hl has stopped without a word while " .. said(status) .. ". Start the script again to go on"
      end
      local text = said(status)
      if text ~= last and (last == nil or now - spoke >= 2) or now - spoke >= SPEAK_SECONDS then
        say(text)
        spoke, last = now, text
      end
    end
    if now - began >= wait_seconds then
      return nil, "hl is still at work, in the background. Start the script again later: it goes on from there"
    end
    system.sleep(POLL_SECONDS)
  end
end

-- Runs a request, or finds it running. Returns its folder and its last status, or nil and a reason.
function M.run(hl, request, wait_minutes, say)
  local base = system.base()
  if not base then return nil, "there is no folder for temporary files: HOME is not set" end
  local folder = base .. system.separator .. records.key(request)
  if not system.mkdir(folder) then return nil, "cannot write in " .. folder end
  local file = function(name) return folder .. system.separator .. name end
  local before = status_of(folder)
  if is_alive(before) then
    say("hl is at work on this already")
  elseif is_unclaimed(before) then
    say("hl has finished this in the meantime")
  else
    system.remove(file("status.txt"))
    system.remove(file("plan.txt"))
    if not system.write(file("request.txt"), request) then return nil, "cannot write in " .. folder end
    say("hl starts")
    local started, reason = system.start(hl, { "resolve-job", folder }, file("log.txt"))
    if not started then return nil, reason end
  end
  local minutes = tonumber(wait_minutes) or DEFAULT_WAIT_MINUTES
  local status, reason = wait(folder, 60 * minutes, say)
  if not status then return nil, reason end
  system.remove(file("status.txt"))  -- taken: the next press asks hl anew, which knows its scores
  for _, warning in ipairs(status.warnings) do say("warning: " .. (warning.text or "")) end
  if status.state ~= "done" then
    local hint = status.hint and status.hint ~= "" and ". " .. status.hint or ""
    return nil, (status.message or "hl failed") .. hint
  end
  return folder, status
end

-- Reads plan.txt. Returns { timeline=, imports=, sources=, items=, marks= } with numbers as numbers, or nil and a reason.
function M.plan(folder)
  local text = system.read(folder .. system.separator .. "plan.txt")
  local list, reason = nil, "it is missing"
  if text then list, reason = records.parse(text) end
  if not list then return nil, "the plan of hl cannot be read: " .. reason end
  local plan = {
    timeline = records.of_kind(list, "timeline")[1],
    imports = records.of_kind(list, "import"),
    sources = records.of_kind(list, "source"),
    items = records.of_kind(list, "item"),
    marks = records.of_kind(list, "mark"),
  }
  local whole = plan.timeline and records.numbers(plan.timeline, { "length", "video_tracks", "audio_tracks" })
  for _, import in ipairs(plan.imports) do whole = whole and import.file end
  for _, source in ipairs(plan.sources) do whole = whole and records.numbers(source, { "frames" }) and source.path end
  for _, item in ipairs(plan.items) do
    whole = whole and records.numbers(item, { "event", "source", "track", "start", "stop", "at", "length", "exact" })
      and plan.sources[item.source]
  end
  for _, mark in ipairs(plan.marks) do
    whole = whole and records.numbers(mark, { "event", "source", "frame", "frames", "at", "length" })
      and plan.sources[mark.source]
  end
  if not whole then return nil, "the plan of hl cannot be read: a value is missing" end
  local top, bottom = (plan.timeline.rate or ""):match("^(%d+)/(%d+)$")
  if not top then return nil, "the plan of hl cannot be read: it has no rate" end
  plan.timeline.rate = top / bottom
  return plan
end

return M
