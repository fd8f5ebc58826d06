-- What is asked of Resolve: the project, the clips, their files. Resolve answers a call that it cannot do with nil, and one that
-- it does not have with an error; neither reaches the user as such.
local part = ...
local host = part("host")
local M = {}

-- Calls a method; nil for whatever goes wrong.
function M.call(object, method, ...)
  if object == nil then return nil end
  local arguments, count = { ... }, select("#", ...)
  local done, value = pcall(function() return object[method](object, unpack(arguments, 1, count)) end)
  if done then return value end
  return nil
end

local call = M.call

-- Scripts of the menu get `resolve`. Never call Fusion() without a name before it: it can start a second, invisible Fusion.
function M.find()
  local resolve = host.global("resolve")
  if resolve then return resolve end
  local made, object = pcall(function() return host.global("Resolve")() end)
  return made and object or nil
end

-- Returns { resolve=, project=, pool=, major= }, or nil; then a reason; then the media pool where there is one.
function M.open()
  local resolve = M.find()
  if not resolve then return nil, "start this from Resolve: Workspace > Scripts" end
  -- A dialog that is open, such as the one a function of Studio brings up in the free edition, makes every call fail.
  if not call(resolve, "GetProductName") then return nil, "Resolve does not answer: close the dialog that is open" end
  local project = call(call(resolve, "GetProjectManager"), "GetCurrentProject")
  local pool = call(project, "GetMediaPool")
  if not pool then return nil, "no project is open" end
  -- Into a project that was never saved Resolve imports no timeline, and does not say so.
  if (call(project, "GetName") or ""):match("^Untitled Project") then
    return nil, "save the project under a name first (File > Save Project)", pool
  end
  local version = call(resolve, "GetVersion")
  return {
    resolve = resolve,
    project = project,
    pool = pool,
    major = type(version) == "table" and tonumber(version[1]) or 0,
  }, nil, pool
end

-- A number in a setting such as "29.97 DF"; nil without one.
function M.rate_of(object)
  local text = call(object, "GetSetting", "timelineFrameRate")
  return tonumber((tostring(text or "")):match("^%s*([%d.]+)"))
end

-- Whether two rates are one: 29.97 is 30000/1001, 30 is not.
function M.same_rate(one, other)
  return one ~= nil and other ~= nil and math.abs(one - other) < 0.006
end

function M.path_of(item)
  local path = call(item, "GetClipProperty", "File Path")
  return type(path) == "string" and path ~= "" and path or nil
end

-- One spelling of a path, to compare it.
function M.comparable(path)
  return host.is_windows and path:gsub("/", "\\"):lower() or path
end

local function add(list, known, item)
  local path = M.path_of(item)
  if path and not known[path] then
    known[path] = item
    list[#list + 1] = path
  end
end

-- The files of the clips selected in the media pool, else of the clip under the playhead. Returns a list of paths, a table that
-- gives the item of each, and how many clips have no file (compound clips, generators, timelines).
function M.clips(editor)
  local list, known, without = {}, {}, 0
  local selected = call(editor.pool, "GetSelectedClips")
  if type(selected) == "table" then
    for _, item in ipairs(selected) do
      add(list, known, item)
      if not M.path_of(item) then without = without + 1 end
    end
  end
  if #list == 0 and without == 0 then
    local timeline = call(editor.project, "GetCurrentTimeline")
    add(list, known, call(call(timeline, "GetCurrentVideoItem"), "GetMediaPoolItem"))
  end
  return list, known, without
end

-- The item of a file, looked for in the whole media pool; nil if it is not there.
function M.find_item(editor, path)
  local wanted, folders = M.comparable(path), { call(editor.pool, "GetRootFolder") }
  while #folders > 0 do
    local folder = table.remove(folders)
    for _, item in ipairs(call(folder, "GetClipList") or {}) do
      local found = M.path_of(item)
      if found and M.comparable(found) == wanted then return item end
    end
    for _, inner in ipairs(call(folder, "GetSubFolderList") or {}) do folders[#folders + 1] = inner end
  end
  return nil
end

-- A name that no timeline has: importing under a taken one does nothing, and says nothing.
function M.free_name(editor, wanted)
  local taken = {}
  for index = 1, call(editor.project, "GetTimelineCount") or 0 do
    local name = call(call(editor.project, "GetTimelineByIndex", index), "GetName")
    if name then taken[name] = true end
  end
  local name, number = wanted, 2
  while taken[name] do
    name, number = wanted .. " " .. number, number + 1
  end
  return name
end

return M
