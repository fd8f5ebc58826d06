-- Names outside the code page on Windows: io and os of Lua know the code page only, LuaJIT's FFI reaches the system itself.
-- Returns nil where there is no FFI (Lua 5.1, the sandbox). All text here is UTF-8.
local part = ...
local found, ffi = pcall(function() return part("host").global("ffi") or require("ffi") end)
local declared = found and pcall(function() ffi.cdef([[
  int MultiByteToWideChar(unsigned int page, unsigned long flags, const char *text, int size, unsigned short *wide, int room);
  int WideCharToMultiByte(unsigned int page, unsigned long flags, const unsigned short *wide, int size, char *text, int room,
                          const char *instead, int *used);
  void *_wfopen(const unsigned short *name, const unsigned short *mode);
  size_t fread(void *buffer, size_t size, size_t count, void *file);
  size_t fwrite(const void *buffer, size_t size, size_t count, void *file);
  int fclose(void *file);
  int _wremove(const unsigned short *name);
  int _wsystem(const unsigned short *command);
  int CreateDirectoryW(const unsigned short *name, void *security);
  unsigned long GetEnvironmentVariableW(const unsigned short *name, unsigned short *value, unsigned long room);
  void Sleep(unsigned long milliseconds);
]]) end)
if not declared then return nil end

local UTF8, CHUNK = 65001, 65536
local C, M = ffi.C, {}

local function wide(text)
  local room = C.MultiByteToWideChar(UTF8, 0, text, -1, nil, 0)
  local buffer = ffi.new("unsigned short[?]", math.max(room, 1))
  C.MultiByteToWideChar(UTF8, 0, text, -1, buffer, room)
  return buffer
end

function M.read(path)
  local file = C._wfopen(wide(path), wide("rb"))
  if file == nil then return nil end
  local buffer, parts = ffi.new("char[?]", CHUNK), {}
  repeat
    local count = tonumber(C.fread(buffer, 1, CHUNK, file))
    parts[#parts + 1] = ffi.string(buffer, count)
  until count < CHUNK
  C.fclose(file)
  return table.concat(parts)
end

function M.exists(path)
  local file = C._wfopen(wide(path), wide("rb"))
  if file == nil then return false end
  C.fclose(file)
  return true
end

function M.write(path, text)
  local file = C._wfopen(wide(path), wide("wb"))
  if file == nil then return false end
  local written = tonumber(C.fwrite(text, 1, #text, file))
  return C.fclose(file) == 0 and written == #text
end

function M.remove(path)
  return C._wremove(wide(path)) == 0
end

function M.mkdir(path)
  return C.CreateDirectoryW(wide(path), nil) ~= 0
end

function M.run(command)
  return C._wsystem(wide(command)) == 0
end

function M.getenv(name)
  local room = C.GetEnvironmentVariableW(wide(name), nil, 0)
  if room == 0 then return nil end
  local buffer = ffi.new("unsigned short[?]", room)
  C.GetEnvironmentVariableW(wide(name), buffer, room)
  local size = C.WideCharToMultiByte(UTF8, 0, buffer, -1, nil, 0, nil, nil)
  local text = ffi.new("char[?]", math.max(size, 1))
  C.WideCharToMultiByte(UTF8, 0, buffer, -1, text, size, nil, nil)
  return ffi.string(text)
end

function M.sleep(seconds)
  C.Sleep(seconds * 1000)
end

return M
