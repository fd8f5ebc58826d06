-- The text that hl and these scripts exchange: hlcli/timeline/resolve_records.py says what it looks like.
local M = {}

local HEADER = "hl-resolve\t1"
local ESCAPES = { ["\\"] = "\\\\", ["\t"] = "\\t", ["\n"] = "\\n", ["\r"] = "\\r" }
local LETTERS = { ["\\"] = "\\", t = "\t", n = "\n", r = "\r" }

local function escape(value)
  return (tostring(value):gsub("[\\\t\n\r]", ESCAPES))
end

-- nil for a value with an escape that stands for nothing.
local function unescape(value)
  local whole = true
  local text = value:gsub("\\(.?)", function(letter)
    if not LETTERS[letter] then whole = false end
    return LETTERS[letter]
  end)
  return whole and text or nil
end

-- records: a list of { kind, { name = value } }; names are written in alphabetical order.
function M.text(records)
  local lines = { HEADER }
  for _, record in ipairs(records) do
    local names, parts = {}, { record[1] }
    for name in pairs(record[2]) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do parts[#parts + 1] = name .. "=" .. escape(record[2][name]) end
    lines[#lines + 1] = table.concat(parts, "\t")
  end
  lines[#lines + 1] = "end"
  return table.concat(lines, "\n") .. "\n"
end

local function parse_line(line)
  local fields, kind = {}, nil
  for part in (line .. "\t"):gmatch("([^\t]*)\t") do
    if not kind then
      kind = part:match("^[a-z][a-z_0-9]*$")
      if not kind then return nil end
    else
      local name, value = part:match("^([a-z][a-z_0-9]*)=(.*)$")
      value = value and unescape(value)
      if not value or fields[name] then return nil end
      fields[name] = value
    end
  end
  return { kind, fields }
end

-- Returns the records, or nil and what is wrong: also of a file that is not finished.
function M.parse(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  if lines[1] ~= HEADER then return nil, "it is of another version of hl" end
  if lines[#lines] ~= "end" or text:sub(-1) ~= "\n" or #lines < 2 then return nil, "its end is missing" end
  local records = {}
  for number = 2, #lines - 1 do
    records[#records + 1] = parse_line(lines[number])
    if #records ~= number - 1 then return nil, "line " .. number .. " is damaged" end
  end
  return records
end

-- The fields of all records of one kind.
function M.of_kind(records, kind)
  local found = {}
  for _, record in ipairs(records) do
    if record[1] == kind then found[#found + 1] = record[2] end
  end
  return found
end

-- Turns the named fields into whole numbers; false if one is none.
function M.numbers(fields, names)
  for _, name in ipairs(names) do
    if not (fields[name] or ""):match("^%-?%d+$") then return false end
    fields[name] = tonumber(fields[name])
  end
  return true
end

-- Sixteen letters that are the same for the same text: the name of a job's folder.
function M.key(text)
  local sums = { 5381, 52711 }
  for index = 1, #text do
    local byte = text:byte(index)
    sums[1] = (sums[1] * 33 + byte) % 4294967296
    sums[2] = (sums[2] * 65599 + byte) % 4294967296
  end
  return string.format("%04x%04x%04x%04x", math.floor(sums[1] / 65536), sums[1] % 65536,
    math.floor(sums[2] / 65536), sums[2] % 65536)
end

return M
