/* The calls of Windows that plugins/resolve/lib/wide.lua makes, on a POSIX system, so that LuaJIT's FFI really makes them.
 * UTF-16 in and out, "\" between folders; commands are not run but appended to the file that HL_SHIM_COMMANDS names. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int MultiByteToWideChar(unsigned page, unsigned long flags, const char *text, int size, uint16_t *wide, int room) {
  const unsigned char *at = (const unsigned char *)text;
  int count = 0;
  if (page != 65001 || flags || size != -1) return 0;
  for (;;) {
    uint32_t code = *at++;
    int more = code >= 0xF0 ? 3 : code >= 0xE0 ? 2 : code >= 0xC0 ? 1 : 0;
    uint16_t units[2];
    int num_units = 1;
    if (more) code &= 0x3F >> more;
    for (int i = 0; i < more; i++) code = code << 6 | (*at++ & 0x3F);
    units[0] = code;
    if (code > 0xFFFF) {
      units[0] = 0xD800 + ((code - 0x10000) >> 10);
      units[1] = 0xDC00 + ((code - 0x10000) & 0x3FF);
      num_units = 2;
    }
    for (int i = 0; i < num_units; i++, count++)
      if (room) {
        if (count >= room) return 0;
        wide[count] = units[i];
      }
    if (!code) return count;
  }
}

int WideCharToMultiByte(unsigned page, unsigned long flags, const uint16_t *wide, int size, char *text, int room,
                        const char *instead, int *used) {
  int count = 0;
  if (page != 65001 || flags || size != -1 || instead || used) return 0;
  for (;;) {
    uint32_t code = *wide++;
    char bytes[4];
    int num_bytes = 0;
    if (code >= 0xD800 && code < 0xDC00) code = 0x10000 + ((code - 0xD800) << 10) + (*wide++ - 0xDC00);
    if (code < 0x80) {
      bytes[num_bytes++] = code;
    } else {
      int more = code > 0xFFFF ? 3 : code > 0x7FF ? 2 : 1;
      bytes[num_bytes++] = (more == 3 ? 0xF0 : more == 2 ? 0xE0 : 0xC0) | code >> 6 * more;
      while (more--) bytes[num_bytes++] = 0x80 | ((code >> 6 * more) & 0x3F);
    }
    for (int i = 0; i < num_bytes; i++, count++)
      if (room) {
        if (count >= room) return 0;
        text[count] = bytes[i];
      }
    if (!code) return count;
  }
}

/* Not thread-safe, as little else here. */
static const char *plain(const uint16_t *wide, int is_path) {
  static char text[2][8192];
  static int which;
  which = !which;
  WideCharToMultiByte(65001, 0, wide, -1, text[which], sizeof text[0], NULL, NULL);
  for (char *at = text[which]; is_path && *at; at++)
    if (*at == '\\') *at = '/';
  return text[which];
}

void *_wfopen(const uint16_t *name, const uint16_t *mode) {
  const char *path = plain(name, 1);
  return fopen(path, plain(mode, 0));
}
int _wremove(const uint16_t *name) { return remove(plain(name, 1)); }
int CreateDirectoryW(const uint16_t *name, void *security) {
  return !security && !mkdir(plain(name, 1), 0700);
}
int _wsystem(const uint16_t *command) {
  FILE *file = fopen(getenv("HL_SHIM_COMMANDS"), "a");
  fprintf(file, "%s\n", plain(command, 0));
  return fclose(file);
}
unsigned long GetEnvironmentVariableW(const uint16_t *name, uint16_t *value, unsigned long room) {
  const char *found = getenv(plain(name, 0));
  return found ? MultiByteToWideChar(65001, 0, found, -1, value, room) : 0;
}
void Sleep(unsigned long milliseconds) { usleep(milliseconds * 1000); }
