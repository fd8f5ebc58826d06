-- What the entries of the menu do. Called with all parts, the path of hl, the folder of `hl resolve`, and the action.
local parts, hl, mailbox, action = ...

local loaded = {}
local function part(name)
  if loaded[name] == nil then loaded[name] = parts[name](part) or false end
  return loaded[name] or nil
end

local host = part("host")
host.mailbox = mailbox

local lines = {}

-- The console shows lines, where it shows anything.
local function show(line)
  lines[#lines + 1] = line
  pcall(function() print(line) end)
end

local function say(text)
  show("hl: " .. text)
end

local actions = {}

local function base_name(path)
  return path:match("([^/\\]+)$") or path
end

local function stem(path)
  return base_name(path):gsub("%.[^.]*$", "")
end

-- The selected clips and the options; nil and a reason if there are none.
local function asked_for(opened)
  local editor, job = part("editor"), part("job")
  local files, known, without = editor.clips(opened)
  if without > 0 then say(without .. " of the selected clips have no file of their own and are left out") end
  if #files == 0 then
    return nil, "select a clip in the media pool, or put the playhead on one, and start this again"
  end
  local for_hl, ours = job.options()
  if not for_hl then return nil, ours end
  return { files = files, known = known, for_hl = for_hl, ours = ours }
end

local function run(opened, asked, kind)
  local job, editor = part("job"), part("editor")
  local name = stem(asked.files[1]) .. (#asked.files > 1 and " and " .. #asked.files - 1 .. " more" or "")
  local fields = { kind = kind, name = name .. " highlights" }
  -- A timeline has the rate of its project; counted at another one, nothing would be where it belongs.
  if kind == "highlights" then
    fields.frame_rate = tostring(editor.call(opened.project, "GetSetting", "timelineFrameRate") or "")
  end
  say("looking at " .. #asked.files .. (#asked.files == 1 and " file" or " files"))
  local place, reason = job.run(hl, job.request(fields, asked.files, asked.for_hl), asked.ours.wait_minutes, say)
  if not place then return nil, reason end
  return job.plan(place)
end

-- The files of a plan in the order in which they are tried: those of the kind that the option `import` names before the others.
local function files_to_import(plan, wanted)
  local first, rest = {}, {}
  for _, import in ipairs(plan.imports) do
    local list = wanted == import.file:match("%.(%w+)$") and first or rest
    list[#list + 1] = import.file
  end
  if wanted == "no" then return {} end
  for _, file in ipairs(rest) do first[#first + 1] = file end
  return first
end

function actions.highlights(opened)
  local timelines, marks, editor = part("timeline"), part("marks"), part("editor")
  local asked, reason = asked_for(opened)
  if not asked then return nil, reason end
  local plan
  plan, reason = run(opened, asked, "highlights")
  if not plan then return nil, reason end
  local missing = timelines.missing_files(plan)
  if #missing > 0 then return nil, "the file is gone: " .. table.concat(missing, ", ") end

  local timeline, items
  local files = files_to_import(plan, asked.ours.import)
  for index, file in ipairs(files) do
    timeline, items = timelines.import(opened, plan, file)
    if timeline then break end
    local other = files[index + 1]
    say("Resolve " .. items .. ": hl " .. (other and "tries " .. base_name(other) or "builds the timeline itself"))
  end
  if not timeline then
    timeline, items = timelines.build(opened, plan, plan.timeline.name, asked.known)
    if not timeline then
      return nil, "the timeline could not be made: " .. items .. ". Its file is " .. tostring(files_to_import(plan)[1])
        .. ": try File > Import > Timeline..."
    end
  end
  editor.call(opened.project, "SetCurrentTimeline", timeline)
  local unset = marks.on_timeline(timeline, plan, items)
  if unset > 0 then say(unset .. " markers could not be set") end
  return #plan.marks .. " highlights on the timeline " .. (editor.call(timeline, "GetName") or plan.timeline.name)
end

function actions.marks(opened)
  local marks, editor = part("marks"), part("editor")
  local asked, reason = asked_for(opened)
  if not asked then return nil, reason end
  local plan
  plan, reason = run(opened, asked, "marks")
  if not plan then return nil, reason end
  local unset = 0
  for number, source in ipairs(plan.sources) do
    local of_source, item = {}, asked.known[source.asked] or editor.find_item(opened, source.path)
    for _, mark in ipairs(plan.marks) do
      if mark.source == number then of_source[#of_source + 1] = mark end
    end
    unset = unset + (item and marks.on_source(item, of_source, source.frames) or #of_source)
  end
  if unset == #plan.marks then return nil, "Resolve takes no marker: is the clip still in the media pool?" end
  if unset > 0 then say(unset .. " markers could not be set") end
  return #plan.marks - unset .. " markers on " .. #plan.sources .. (#plan.sources == 1 and " clip" or " clips")
end

-- The files a timeline shows.
local function files_of(timeline)
  local editor, list, known = part("editor"), {}, {}
  for track = 1, editor.call(timeline, "GetTrackCount", "video") or 0 do
    for _, item in ipairs(editor.call(timeline, "GetItemListInTrack", "video", track) or {}) do
      local path = editor.path_of(editor.call(item, "GetMediaPoolItem"))
      if path and not known[path] then
        known[path] = true
        list[#list + 1] = path
      end
    end
  end
  return list
end

local function shell_words(list)
  local system, words = part("system"), {}
  for index, text in ipairs(list) do words[index] = system.quoted(text) or text end
  return table.concat(words, " ")
end

function actions.send_cut(opened)
  local editor, job, system = part("editor"), part("job"), part("system")
  local timeline = editor.call(opened.project, "GetCurrentTimeline")
  if not timeline then return nil, "open the timeline that hl shall learn from, and start this again" end
  local for_hl, ours = job.options()
  if not for_hl then return nil, ours end
  local kind = opened.resolve.EXPORT_OTIO
  if kind == nil then return nil, "this needs Resolve 18.5 or later: older versions write no OpenTimelineIO" end
  local files = files_of(timeline)
  if #files == 0 then return nil, "this timeline shows no file" end
  local place = ours.cut_folder or system.documents()
  if not place or not system.mkdir(place) then
    return nil, "cannot write in " .. tostring(place) .. ": name another folder in options.txt (cut_folder)"
  end
  local name = (editor.call(timeline, "GetName") or "cut"):gsub('[%c<>:"/\\|?*%%]', "_")
  local path, number = place .. system.separator .. name .. ".otio", 2
  -- Where an old cut cannot be removed, what Resolve writes must be told from it.
  while not system.remove(path) and system.exists(path) do
    path, number = place .. system.separator .. name .. " " .. number .. ".otio", number + 1
  end
  if not editor.call(timeline, "Export", path, kind) or system.exists(path) == false then
    return nil, "Resolve did not write " .. path .. ": name another folder in options.txt (cut_folder)"
  end
  say("wrote " .. path)
  if not ours.learn_as then
    say("to learn from it, run in a terminal:")
    show(shell_words({ hl, "finetune" }) .. " " .. shell_words(files) .. " --name my-style --from-cut " .. shell_words({ path }))
    return "or put the line `learn_as my-style` into options.txt and start this again"
  end
  say("learning " .. ours.learn_as .. " from it; this takes a while")
  local request = job.request({ kind = "finetune", name = ours.learn_as, cut = path }, files, {})
  local done, reason = job.run(hl, request, ours.wait_minutes, say)
  if not done then return nil, reason end
  return "learned; to use it, put the line `model " .. ours.learn_as .. "` into options.txt"
end

-- A traceback helps nobody who cuts films: one sentence, and where the rest is.
local pool
local ran, done, reason = pcall(function()
  local opened, why, ready
  opened, why, pool = part("editor").open()
  if not opened then return nil, why end
  ready, why = part("system").ready()
  if not ready then return nil, why end
  return actions[action](opened)
end)
if not ran then
  done, reason = nil, "this is a bug in the plugin, please report it: " .. tostring(done)
end
say(tostring(done or reason))

-- Only the sandbox has `finish`: print shows nothing there, so that the terminal of `hl resolve` shows all that was said, and a
-- window what went wrong.
local found, system = pcall(part, "system")
if found and system.finish then
  local window = part("window")
  window.clear(pool)
  pcall(system.finish, table.concat(lines, "\n"))
  local shown = done or window.show(tostring(reason), pool)
  -- An error is the last thing that a console may still show.
  if not shown then error("hl: " .. tostring(reason), 0) end
end
