-- Words for the user where scripts may not print: in a window or, in an edition without them, as an empty bin in the media pool,
-- which is the one visible thing that others saw a script of the free edition 21.1 make. The next press removes it.
local part = ...
local host, call = part("host"), part("editor").call
local M = {}

local MARK = "hl: "

local function by_window(text)
  local ui, bmd = host.field(host.fusion(), "UIManager"), host.global("bmd")
  if not ui or not host.field(bmd, "UIDispatcher") then return false end
  return (pcall(function()
    local dispatcher = bmd.UIDispatcher(ui)
    local window = dispatcher:AddWindow({ ID = "hl", WindowTitle = "hl", Geometry = { 300, 300, 560, 220 } }, {
      ui:VGroup({
        ui:Label({ ID = "words", Text = text, WordWrap = true }),
        ui:Button({ ID = "ok", Text = "OK", Weight = 0 }),
      }),
    })
    local function close() dispatcher:ExitLoop() end
    window.On.ok.Clicked = close
    window.On.hl.Close = close
    window:Show()
    dispatcher:RunLoop()
    window:Hide()
  end))
end

-- A dialog of the composition that is open in Fusion; it may answer nothing on other pages.
local function by_dialog(text)
  local answered, answer = pcall(function()
    local line = { "words", Name = "", "Text", Default = text, ReadOnly = true, Wrap = true, Lines = 8 }
    return host.fusion():GetCurrentComp():AskUser("hl", { line })
  end)
  return answered and answer ~= nil
end

local function by_bin(text, pool)
  local root = call(pool, "GetRootFolder")
  return call(pool, "AddSubFolder", root, MARK .. text) ~= nil
end

-- Removes what an earlier press left in the media pool: bins of that name with nothing in them.
function M.clear(pool)
  local old = {}
  for _, folder in ipairs(call(call(pool, "GetRootFolder"), "GetSubFolderList") or {}) do
    local is_empty = #(call(folder, "GetClipList") or { 1 }) == 0 and #(call(folder, "GetSubFolderList") or { 1 }) == 0
    if is_empty and tostring(call(folder, "GetName") or ""):sub(1, #MARK) == MARK then old[#old + 1] = folder end
  end
  if #old > 0 then call(pool, "DeleteFolders", old) end
end

-- Shows a text; false where nothing can. The pool is nil when no project is open.
function M.show(text, pool)
  return by_window(text) or by_dialog(text) or pool ~= nil and by_bin(text, pool)
end

return M
