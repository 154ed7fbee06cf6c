/* Counts what a process does to the files below a folder, and disturbs it there.
 *
 * scripts/trials.py loads it by LD_PRELOAD and calls trial_arm. From then on each operation
 * that changes something below the folder has a number, from 1 on, and is logged. At the
 * one whose number is `moment` the process is sent a signal before it happens, or it and
 * all later ones fail, as they do on a full or read-only disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* What an operation asks of the disk: room for a name, room for data, or neither. */
enum need { NAME, DATA, LEAVE };
enum verdict { PASS, FAIL, TEAR };

static char folder[PATH_MAX];
static size_t length;
static long moment;
static int with_signal, with_error, tearing, records = -1;
static atomic_long operations;

void trial_arm(const char *path, long number, int signal, int error, int tear,
               const char *log) {
  records = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  snprintf(folder, sizeof folder, "%s", path);
  length = strlen(folder);
  moment = number, with_signal = signal, with_error = error, tearing = tear;
}

#define REAL(name)                                     \
  static __typeof__(&name) real;                       \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);

/* A path, or with an empty one the file that a descriptor is open on. */
static void resolve(int at, const char *path, char *into) {
  char link[64];
  ssize_t size = 0;
  if (path[0] != '/') {
    if (at == AT_FDCWD) {
      size = getcwd(into, PATH_MAX) ? (ssize_t)strlen(into) : 0;
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", at);
      size = readlink(link, into, PATH_MAX - 1);
      if (size < 0) size = 0;
    }
    if (path[0] && size < PATH_MAX - 1) into[size++] = '/';
  }
  snprintf(into + size, PATH_MAX - size, "%s", path);
}

static enum verdict judge(enum need need, const char *what, int at, const char *path) {
  if (!length || !path) return PASS;
  int before = errno;
  char full[PATH_MAX];
  resolve(at, path, full);
  if (strncmp(full, folder, length) || (full[length] && full[length] != '/')) {
    errno = before;
    return PASS;
  }
  long number = atomic_fetch_add(&operations, 1) + 1;
  dprintf(records, "%s %s\n", what, full[length] ? full + length + 1 : ".");
  errno = before;
  if (!moment || number < moment) return PASS;
  if (with_signal) {
    if (number == moment && tearing && need == DATA) return TEAR;
    if (number == moment) kill(getpid(), with_signal);
    /* Another thread was quicker than the signal that ends this one. */
    while (with_signal == SIGKILL) pause();
    return PASS;
  }
  bool full_disk = with_error == ENOSPC || with_error == EDQUOT;
  if (full_disk && need == LEAVE) return PASS;
  /* Rights are looked at when a file is opened. */
  if (with_error == EACCES && need == DATA) return PASS;
  if (full_disk && need == DATA && number == moment) return TEAR;
  errno = with_error;
  return FAIL;
}

/* What a call that writes leaves half done. */
static void strike(void) {
  if (with_signal) kill(getpid(), with_signal);
  while (with_signal == SIGKILL) pause();
}

static bool opens_to_write(int at, const char *path, int flags, enum need *need) {
  if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT)) return false;
  /* A file that is there needs no room to be opened. */
  int before = errno;
  bool there = faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  errno = before;
  *need = there || !(flags & O_CREAT) ? LEAVE : NAME;
  return true;
}

#define OPEN(name, at, parameters, ...)                                        \
  int name parameters {                                                        \
    REAL(name)                                                                 \
    va_list rest;                                                              \
    va_start(rest, flags);                                                     \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;    \
    va_end(rest);                                                              \
    enum need need;                                                            \
    if (length && opens_to_write(at, path, flags, &need) &&                    \
        judge(need, "open", at, path) == FAIL)                                 \
      return -1;                                                               \
    return real(__VA_ARGS__, flags, mode);                                     \
  }
OPEN(open, AT_FDCWD, (const char *path, int flags, ...), path)
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), path)
OPEN(openat, at, (int at, const char *path, int flags, ...), at, path)
OPEN(openat64, at, (int at, const char *path, int flags, ...), at, path)

int creat(const char *path, mode_t mode) {
  return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

#define FOPEN(name)                                                          \
  FILE *name(const char *path, const char *mode) {                           \
    REAL(name)                                                               \
    if (strpbrk(mode, "wa+") && judge(NAME, "fopen", AT_FDCWD, path) == FAIL) \
      return NULL;                                                           \
    return real(path, mode);                                                 \
  }
FOPEN(fopen)
FOPEN(fopen64)

#define WRITE(name, parameters, ...)                             \
  ssize_t name parameters {                                      \
    REAL(name)                                                   \
    enum verdict verdict = judge(DATA, "write", file, "");       \
    if (verdict == FAIL) return -1;                              \
    if (verdict == TEAR && size > 1) size /= 2;                  \
    if (verdict == TEAR && size <= 1) strike();                  \
    ssize_t written = real(__VA_ARGS__);                         \
    if (verdict == TEAR) strike();                               \
    return written;                                              \
  }
WRITE(write, (int file, const void *data, size_t size), file, data, size)
WRITE(pwrite, (int file, const void *data, size_t size, off_t offset), file, data, size,
      offset)
WRITE(pwrite64, (int file, const void *data, size_t size, off64_t offset), file, data,
      size, offset)
WRITE(writev, (int file, const struct iovec *data, int size), file, data, size)
WRITE(pwritev, (int file, const struct iovec *data, int size, off_t offset), file, data,
      size, offset)
WRITE(pwritev64, (int file, const struct iovec *data, int size, off64_t offset), file,
      data, size, offset)

/* Any other call: what it asks for, how it is called in the log, and of which path. */
#define CALL(name, need, what, at, path, parameters, ...)  \
  int name parameters {                                    \
    REAL(name)                                             \
    if (judge(need, what, at, path) == FAIL) return -1;    \
    return real(__VA_ARGS__);                              \
  }
CALL(ftruncate, LEAVE, "truncate", file, "", (int file, off_t size), file, size)
CALL(ftruncate64, LEAVE, "truncate", file, "", (int file, off64_t size), file, size)
CALL(rename, NAME, "rename", AT_FDCWD, to, (const char *from, const char *to), from, to)
CALL(renameat, NAME, "rename", there, to,
     (int here, const char *from, int there, const char *to), here, from, there, to)
CALL(renameat2, NAME, "rename", there, to,
     (int here, const char *from, int there, const char *to, unsigned flags), here, from,
     there, to, flags)
CALL(mkdir, NAME, "mkdir", AT_FDCWD, path, (const char *path, mode_t mode), path, mode)
CALL(mkdirat, NAME, "mkdir", at, path, (int at, const char *path, mode_t mode), at, path,
     mode)
CALL(unlink, LEAVE, "unlink", AT_FDCWD, path, (const char *path), path)
CALL(unlinkat, LEAVE, "unlink", at, path, (int at, const char *path, int flags), at, path,
     flags)
CALL(rmdir, LEAVE, "rmdir", AT_FDCWD, path, (const char *path), path)
CALL(link, NAME, "link", AT_FDCWD, to, (const char *from, const char *to), from, to)
CALL(linkat, NAME, "link", there, to,
     (int here, const char *from, int there, const char *to, int flags), here, from, there,
     to, flags)
CALL(symlink, NAME, "symlink", AT_FDCWD, to, (const char *from, const char *to), from, to)
CALL(symlinkat, NAME, "symlink", at, to, (const char *from, int at, const char *to), from,
     at, to)
