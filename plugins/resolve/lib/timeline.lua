-- A timeline of the cuts: imported, read back item by item, and built from the clips when it is not what hl wrote.
local part = ...
local editor, system = part("editor"), part("system")
local call = editor.call
local M = {}

local MAX_SAID = 3
local EXCLUSIVE_SINCE = 19  -- from this version on, endFrame is the frame after the last one

local function rounded(number)
  return type(number) == "number" and math.floor(number + 0.5) or nil
end

-- The items of a track in the order of the timeline, with their places in frames from its start.
local function items_of(timeline, kind, track)
  local list, start = {}, rounded(call(timeline, "GetStartFrame")) or 0
  for _, item in ipairs(call(timeline, "GetItemListInTrack", kind, track) or {}) do
    list[#list + 1] = {
      item = item,
      at = (rounded(call(item, "GetStart")) or -1) - start,
      length = rounded(call(item, "GetDuration")),
      -- GetSourceStartFrame can be off by one.
      start = rounded(call(item, "GetLeftOffset")),
      path = editor.path_of(call(item, "GetMediaPoolItem")),
    }
  end
  table.sort(list, function(one, other) return one.at < other.at end)
  return list
end

-- What is wrong with an item, in words; nil if nothing is.
local function wrong(found, wanted, plan)
  if not found then return "is missing" end
  local source, path = plan.sources[wanted.source], found.path and editor.comparable(found.path)
  if not path then return "is offline" end
  if path ~= editor.comparable(source.path) and path ~= editor.comparable(source.asked or source.path) then
    return "is of another file"
  end
  -- A file of another rate is rounded to the timeline's frames, by Resolve's own rule.
  local slack = wanted.exact == 1 and 0 or 1
  if math.abs(found.at - wanted.at) > slack then return "begins at frame " .. found.at .. ", not " .. wanted.at end
  if math.abs((found.length or -9) - wanted.length) > slack then
    return "is " .. tostring(found.length) .. " frames long, not " .. wanted.length
  end
  if wanted.exact == 1 and found.start ~= wanted.start then
    return "begins at frame " .. tostring(found.start) .. " of its file, not " .. wanted.start
  end
  return nil
end

-- The planned items by kind and track: wanted.video[1] is a list in the order of the timeline.
local function wanted_of(plan)
  local wanted = { video = {}, audio = {} }
  for _, item in ipairs(plan.items) do
    local tracks = wanted[item.type]
    tracks[item.track] = tracks[item.track] or {}
    table.insert(tracks[item.track], item)
  end
  return wanted
end

-- Compares a timeline with the plan. Returns a list of differences in words, empty if there is none, and the picture's item of
-- each event.
function M.differences(timeline, plan)
  local list, of_event = {}, {}
  local rate = editor.rate_of(timeline)
  if rate and not editor.same_rate(rate, plan.timeline.rate) then
    list[#list + 1] = string.format("it runs at %.5g frames a second, not at %.5g", rate, plan.timeline.rate)
  end
  for kind, tracks in pairs(wanted_of(plan)) do
    for track = 1, plan.timeline[kind .. "_tracks"] do
      local found, wanted = items_of(timeline, kind, track), tracks[track] or {}
      for index, item in ipairs(wanted) do
        local reason = wrong(found[index], item, plan)
        if reason then
          list[#list + 1] = kind .. " item " .. index .. " of track " .. track .. " " .. reason
        elseif kind == "video" then
          of_event[item.event] = found[index].item
        end
      end
      if #found > #wanted then list[#list + 1] = kind .. " track " .. track .. " has " .. #found .. " items, not " .. #wanted end
    end
  end
  return list, of_event
end

function M.said(differences)
  local shown = {}
  for index = 1, math.min(#differences, MAX_SAID) do shown[index] = differences[index] end
  if #differences > MAX_SAID then shown[#shown + 1] = (#differences - MAX_SAID) .. " more" end
  return table.concat(shown, "; ")
end

-- The files of the plan that are not there.
function M.missing_files(plan)
  local list = {}
  for _, source in ipairs(plan.sources) do
    if system.exists(source.path) == false then list[#list + 1] = source.path end
  end
  return list
end

-- Imports one of the timeline's files and compares what came in. Returns the timeline and the picture's item of each event, or
-- nil and what went wrong: of a file that it does not take, Resolve does not say why.
function M.import(opened, plan, file)
  local options = { timelineName = editor.free_name(opened, plan.timeline.name), importSourceClips = true }
  local timeline = call(opened.pool, "ImportTimelineFromFile", file, options)
  if not timeline then return nil, "did not import the timeline, and does not say why" end
  local differences, of_event = M.differences(timeline, plan)
  if #differences == 0 then return timeline, of_event end
  call(opened.pool, "DeleteTimelines", { timeline })
  return nil, "imported something else (" .. M.said(differences) .. ")"
end

-- Gives an empty timeline the rate of the plan; the rate of the project is kept.
local function set_rate(timeline, plan)
  if editor.same_rate(editor.rate_of(timeline), plan.timeline.rate) then return true end
  call(timeline, "SetSetting", "useCustomSettings", "1")
  call(timeline, "SetSetting", "timelineFrameRate", string.format("%.6g", plan.timeline.rate))
  return editor.same_rate(editor.rate_of(timeline), plan.timeline.rate)
end

local function pool_items(opened, plan, known)
  local items = {}
  for index, source in ipairs(plan.sources) do
    local asked = source.asked or source.path
    items[index] = known[asked] or editor.find_item(opened, asked) or editor.find_item(opened, source.path)
    if not items[index] then
      items[index] = (call(opened.pool, "ImportMedia", { source.path }) or {})[1]
      if not items[index] then return nil, "Resolve cannot import " .. source.path end
    end
  end
  return items
end

local function add_tracks(timeline, kind, count)
  for _ = (call(timeline, "GetTrackCount", kind) or 0) + 1, count do
    if kind == "audio" then call(timeline, "AddTrack", kind, "stereo") else call(timeline, "AddTrack", kind) end
  end
end

local function append(opened, timeline, plan, items, is_exclusive)
  local start, clips = rounded(call(timeline, "GetStartFrame")) or 0, {}
  for _, item in ipairs(plan.items) do
    clips[#clips + 1] = {
      mediaPoolItem = items[item.source],
      startFrame = item.start,  -- from the first frame of the file, whatever its timecode
      endFrame = is_exclusive and item.stop or item.stop - 1,
      mediaType = item.type == "video" and 1 or 2,
      trackIndex = item.track,
      recordFrame = start + item.at,  -- absolute: with the timecode at which the timeline starts
    }
  end
  call(opened.pool, "AppendToTimeline", clips)
end

-- Pictures and sounds of one event belong together; a timeline whose clips are not linked is still right.
local function link(timeline, plan)
  local of_event = {}
  for kind, tracks in pairs(wanted_of(plan)) do
    for track, wanted in pairs(tracks) do
      for index, found in ipairs(items_of(timeline, kind, track)) do
        local event = wanted[index] and wanted[index].event
        if event then
          of_event[event] = of_event[event] or {}
          table.insert(of_event[event], found.item)
        end
      end
    end
  end
  for _, items in pairs(of_event) do
    if #items > 1 then call(timeline, "SetClipsLinked", items, true) end
  end
end

-- Builds the timeline from clips of the media pool. Returns it and the picture's item of each event, or nil and a reason.
function M.build(opened, plan, wanted_name, known)
  local items, reason = pool_items(opened, plan, known)
  if not items then return nil, reason end
  -- The meaning of endFrame before 19 is known from one report: what comes out decides.
  local first = opened.major >= EXCLUSIVE_SINCE
  for _, is_exclusive in ipairs({ first, not first }) do
    local timeline = call(opened.pool, "CreateEmptyTimeline", editor.free_name(opened, wanted_name))
    if not timeline then return nil, "Resolve makes no timeline" end
    call(opened.project, "SetCurrentTimeline", timeline)
    if set_rate(timeline, plan) then
      add_tracks(timeline, "video", plan.timeline.video_tracks)
      add_tracks(timeline, "audio", plan.timeline.audio_tracks)
      append(opened, timeline, plan, items, is_exclusive)
      local differences, of_event = M.differences(timeline, plan)
      if #differences == 0 then
        link(timeline, plan)
        return timeline, of_event
      end
      reason = M.said(differences)
    else
      reason = string.format("the project does not take %.5g frames a second", plan.timeline.rate)
    end
    -- It is ours and a moment old; the next try may have its name.
    call(opened.pool, "DeleteTimelines", { timeline })
  end
  return nil, reason
end

return M
