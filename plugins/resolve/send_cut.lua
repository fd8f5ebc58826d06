-- Export the current timeline for hl to learn from.
-- Workspace > Scripts in DaVinci Resolve 18.5 or later, free or Studio; what it says is in Workspace > Console.
local HL = "hl"  -- the program; `hl plugins install resolve` writes its path here

-- The parts lie beside this file in a checkout, in Modules/Lua/hl of the Fusion folder when installed. Nobody says under which
-- name Resolve runs a script, so every way to the folder is tried.
local function folders()
  local list, env = {}, os.getenv
  local function beside(script)
    local folder = type(script) == "string" and script:match("^(.*[/\\])")
    if folder then
      list[#list + 1] = folder .. "lib/"
      list[#list + 1] = folder .. "../../Modules/Lua/hl/"
    end
  end
  local debug, arg, app = rawget(_G, "debug"), rawget(_G, "arg"), rawget(_G, "fusion") or rawget(_G, "fu")
  if debug then beside(debug.getinfo(1, "S").source:match("^@(.*)")) end
  if arg then beside(arg[0]) end
  if app then
    local found, scripts = pcall(function() return app:MapPath("Scripts:") end)
    if found and type(scripts) == "string" then list[#list + 1] = scripts .. "/../Modules/Lua/hl/" end
  end
  -- Last, the folders that Resolve has; Windows spells the first two as its code page has them, and opens no others.
  local product, modules = "/Blackmagic Design/DaVinci Resolve/", "Fusion/Modules/Lua/hl/"
  local function under(variable, middle)
    if env(variable) then list[#list + 1] = env(variable) .. middle .. modules end
  end
  under("APPDATA", product .. "Support/")
  under("PROGRAMDATA", product)
  under("HOME", "/Library/Application Support" .. product)
  under("HOME", "/.local/share/DaVinciResolve/")
  list[#list + 1] = "/Library/Application Support" .. product .. modules
  list[#list + 1] = "/opt/resolve/" .. modules
  return list
end

local start
for _, folder in ipairs(folders()) do
  local part = loadfile(folder .. "start.lua")
  if part then
    start = part(folder)
    break
  end
end
if start then
  start(HL, "send_cut")
else
  print("hl: parts of the plugin are missing: run `hl plugins install resolve` again")
end
