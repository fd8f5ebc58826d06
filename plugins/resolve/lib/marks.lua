-- Markers with the colour of the score and customData "hl:...", by which they are known again.
local part = ...
local call = part("editor").call
local M = {}

local TRIES = 5

-- Sets a marker at a frame or, where one stands already, just after it. Returns whether it did.
local function set(object, frame, last, mark, length)
  for at = frame, math.min(frame + TRIES - 1, last) do
    if call(object, "AddMarker", at, mark.color, mark.name, mark.note, length, mark.id) then return true end
  end
  return false
end

local function in_order(markers)
  local frames = {}
  for frame in pairs(markers or {}) do frames[#frames + 1] = frame end
  table.sort(frames)
  return frames
end

-- Removes the markers of hl, and no others.
local function remove_ours(object)
  local markers = call(object, "GetMarkers")
  for _, frame in ipairs(in_order(markers)) do
    if tostring(markers[frame].customData or ""):match("^hl:") then call(object, "DeleteMarkerAtFrame", frame) end
  end
end

-- Markers in the media pool: frames count from the first one of the file. Returns how many could not be set.
function M.on_source(item, marks, num_frames)
  remove_ours(item)
  local missing = 0
  for _, mark in ipairs(marks) do
    if not set(item, mark.frame, num_frames - 1, mark, mark.frames) then missing = missing + 1 end
  end
  return missing
end

-- Gives markers that came in with a clip what the import drops. Returns whether they are all right then.
local function complete(item, marks)
  local markers = call(item, "GetMarkers")
  local frames = in_order(markers)
  if #frames ~= #marks then return false end
  for index, frame in ipairs(frames) do
    local mark, there = marks[index], markers[frames[index]]
    if there.color ~= mark.color or not call(item, "UpdateMarkerCustomData", frame, mark.id) then
      call(item, "DeleteMarkerAtFrame", frame)
      if not call(item, "AddMarker", frame, mark.color, mark.name, mark.note, there.duration or 1, mark.id) then return false end
    end
  end
  return true
end

-- Markers of a timeline: those that came in with the clips are completed, the others are set on the timeline, where frames count
-- from its start. `items` gives the item of each event. Returns how many could not be set.
function M.on_timeline(timeline, plan, items)
  local missing, of_event = 0, {}
  for _, mark in ipairs(plan.marks) do
    of_event[mark.event] = of_event[mark.event] or {}
    table.insert(of_event[mark.event], mark)
  end
  for event, marks in pairs(of_event) do
    if not (items[event] and complete(items[event], marks)) then
      for _, mark in ipairs(marks) do
        if not set(timeline, mark.at, plan.timeline.length - 1, mark, mark.length) then missing = missing + 1 end
      end
    end
  end
  return missing
end

return M
