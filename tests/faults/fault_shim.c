// A library to preload that makes chosen calls of the C library fail, as a full disk or a short memory would. Told by the
// environment (faults.py sets it):
//   FAULT_CALLS  the calls that count, as kinds with commas: open,read,write,map,anon,malloc,… (the names passed to Strikes())
//   FAULT_PATHS  parts of paths, with colons; a call counts whose file's path holds one of them. Unset: any.
//   FAULT_LOG    a file that gets a line "kind path" for each call that counts, and "! kind path" for each that is struck
//   FAULT_AT     the first call to strike, from 1 on; 0 or unset: none
//   FAULT_EVERY  then each so many calls again; 0 or unset: that one alone
//   FAULT_ERROR  what it gives: an errno, or -1: success after fewer bytes than asked for
//   FAULT_LEAST  allocations of fewer bytes do not count
//   FAULT_VICTIM a file: instead of failing, the call first does to it what FAULT_ACTION says: truncate (to FAULT_SIZE bytes),
//                scribble (over all of its bytes, in place), replace (by the file of the same name with .new behind it), overwrite
//                (in place, with that file's bytes)
//   FAULT_BACK   the call that puts back the file of the same name with .old behind it, or removes the victim where there is none
// What the C library calls by itself (fopen's open, dlopen's mmap, getc's read) does not come by here; fopen and getc do.
// It defines the C library's own names, and makes its calls by number. NOLINTBEGIN(bugprone-reserved-identifier,bugprone-macro-parentheses,performance-no-int-to-ptr)
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { kPathBytes = 4096, kShort = -1 };

static char calls[1024], paths[kPathBytes], log_path[kPathBytes], victim[kPathBytes], action[16];
static long at, back, every, error_number, victim_size;
static size_t least;
static int ready;
static atomic_long count;

static void Copy(char* to, size_t size, const char* name) {
  const char* value = getenv(name);
  snprintf(to, size, "%s", value == NULL ? "" : value);
}

static long Number(const char* name) {
  const char* value = getenv(name);
  return value == NULL ? 0 : atol(value);
}

__attribute__((constructor)) static void Configure(void) {
  Copy(calls + 1, sizeof(calls) - 2, "FAULT_CALLS");
  calls[0] = ',';
  strcat(calls, ",");
  Copy(paths, sizeof(paths), "FAULT_PATHS");
  Copy(log_path, sizeof(log_path), "FAULT_LOG");
  Copy(victim, sizeof(victim), "FAULT_VICTIM");
  Copy(action, sizeof(action), "FAULT_ACTION");
  victim_size = Number("FAULT_SIZE");
  at = Number("FAULT_AT");
  back = Number("FAULT_BACK");
  every = Number("FAULT_EVERY");
  error_number = Number("FAULT_ERROR");
  least = (size_t)Number("FAULT_LEAST");
  ready = 1;
}

static int Counts(const char* kind, const char* path) {
  char quoted[64];
  snprintf(quoted, sizeof(quoted), ",%s,", kind);
  if (strstr(calls, quoted) == NULL) return 0;
  if (paths[0] == 0) return 1;
  char parts[kPathBytes], *rest = NULL;
  memcpy(parts, paths, sizeof(parts));
  for (char* part = strtok_r(parts, ":", &rest); part != NULL; part = strtok_r(NULL, ":", &rest)) {
    if (strstr(path, part) != NULL) return 1;
  }
  return 0;
}

static void Act(void) {
  if (strcmp(action, "truncate") == 0) {
    syscall(SYS_truncate, victim, victim_size);
  } else if (strcmp(action, "replace") == 0) {
    char other[kPathBytes + 8];
    snprintf(other, sizeof(other), "%s.new", victim);
    syscall(SYS_rename, other, victim);
  } else if (strcmp(action, "overwrite") == 0) {
    char other[kPathBytes + 8], bytes[4096];
    snprintf(other, sizeof(other), "%s.new", victim);
    const int from = (int)syscall(SYS_openat, AT_FDCWD, other, O_RDONLY | O_CLOEXEC, 0);
    const int to = (int)syscall(SYS_openat, AT_FDCWD, victim, O_WRONLY | O_CLOEXEC, 0);
    for (long got, done = 0; (got = syscall(SYS_pread64, from, bytes, sizeof(bytes), done)) > 0; done += got)
      syscall(SYS_pwrite64, to, bytes, got, done);
    syscall(SYS_close, from);
    syscall(SYS_close, to);
  } else {
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, victim, O_WRONLY | O_CLOEXEC, 0);
    const long size = syscall(SYS_lseek, fd, 0, SEEK_END);
    char bytes[4096];
    for (size_t i = 0; i < sizeof(bytes); ++i) bytes[i] = (char)(i * 167 + 13);
    for (long done = 0; done < size; done += (long)sizeof(bytes))
      syscall(SYS_pwrite64, fd, bytes, size - done < (long)sizeof(bytes) ? size - done : (long)sizeof(bytes), done);
    syscall(SYS_close, fd);
  }
}

static void PutBack(void) {
  char other[kPathBytes + 8];
  snprintf(other, sizeof(other), "%s.old", victim);
  if (syscall(SYS_rename, other, victim) != 0) syscall(SYS_unlink, victim);
}

// Whether this call is to fail; then errno is set. Allocates nothing.
static int Strikes(const char* kind, const char* path) {
  if (!ready || !Counts(kind, path)) return 0;
  const long number = ++count;
  const int strikes = at > 0 && (number == at || (every > 0 && number > at && (number - at) % every == 0));
  if (log_path[0] != 0) {
    char line[2 * kPathBytes + 64];
    const int bytes = snprintf(line, sizeof(line), "%s%s %s\n", strikes ? "! " : "", kind, path);
    const int saved = errno;
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
      syscall(SYS_write, fd, line, (size_t)bytes < sizeof(line) ? (size_t)bytes : sizeof(line) - 1);
      syscall(SYS_close, fd);
    }
    errno = saved;
  }
  if (victim[0] != 0) {
    const int saved = errno;
    if (strikes) Act();
    if (number == back) PutBack();
    errno = saved;
    return 0;
  }
  if (strikes && error_number > 0) errno = (int)error_number;
  return strikes;
}

static void PathOf(int fd, char path[kPathBytes]) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const int saved = errno;
  const long bytes = syscall(SYS_readlink, link, path, kPathBytes - 1);
  errno = saved;
  path[bytes > 0 ? bytes : 0] = 0;
}

static int StrikesFd(const char* kind, int fd) {
  char path[kPathBytes];
  PathOf(fd, path);
  return Strikes(kind, path);
}

static int StrikesAt(const char* kind, int folder, const char* path) {
  if (folder == AT_FDCWD || path[0] == '/') return Strikes(kind, path);
  char outer[kPathBytes], whole[2 * kPathBytes];
  PathOf(folder, outer);
  snprintf(whole, sizeof(whole), "%s/%s", outer, path);
  return Strikes(kind, whole);
}

// Fails with -1, or asks the system for half of the bytes: 1 of 1.
#define BYTES(kind, fd, size)                   \
  do {                                          \
    if (StrikesFd(kind, fd)) {                  \
      if (error_number != kShort) return -1;    \
      size -= size / 2;                         \
    }                                           \
  } while (0)

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

static int OpenAt(int folder, const char* path, int flags, mode_t mode) {
  if (StrikesAt("open", folder, path)) return -1;
  return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static mode_t ModeOf(int flags, va_list list) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

#define OPEN(name)                              \
  int name(const char* path, int flags, ...) {  \
    va_list list;                               \
    va_start(list, flags);                      \
    const mode_t mode = ModeOf(flags, list);    \
    va_end(list);                               \
    return OpenAt(AT_FDCWD, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
#define OPENAT(name)                                       \
  int name(int folder, const char* path, int flags, ...) { \
    va_list list;                                          \
    va_start(list, flags);                                 \
    const mode_t mode = ModeOf(flags, list);               \
    va_end(list);                                          \
    return OpenAt(folder, path, flags, mode);              \
  }
OPENAT(openat)
OPENAT(openat64)
// What fortified calls of open with a variable for its flags become.
int __open_2(const char* path, int flags) { return OpenAt(AT_FDCWD, path, flags, 0); }
int __open64_2(const char* path, int flags) { return OpenAt(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char* path, int flags) { return OpenAt(folder, path, flags, 0); }
int __openat64_2(int folder, const char* path, int flags) { return OpenAt(folder, path, flags, 0); }

#define FOPEN(name)                                                             \
  FILE* name(const char* path, const char* mode) {                              \
    if (Strikes("open", path)) return NULL;                                     \
    return NEXT(#name, FILE * (*)(const char*, const char*))(path, mode);       \
  }
FOPEN(fopen)
FOPEN(fopen64)

DIR* opendir(const char* path) {
  if (Strikes("folder", path)) return NULL;
  return NEXT("opendir", DIR * (*)(const char*))(path);
}
DIR* fdopendir(int fd) {
  if (StrikesFd("folder", fd)) return NULL;
  return NEXT("fdopendir", DIR * (*)(int))(fd);
}
#define READDIR(name, entry)                                      \
  struct entry* name(DIR* folder) {                               \
    if (StrikesFd("folder", dirfd(folder))) return NULL;          \
    return NEXT(#name, struct entry * (*)(DIR*))(folder);         \
  }
READDIR(readdir, dirent)
READDIR(readdir64, dirent64)

ssize_t read(int fd, void* bytes, size_t size) {
  BYTES("read", fd, size);
  return syscall(SYS_read, fd, bytes, size);
}
ssize_t __read_chk(int fd, void* bytes, size_t size, size_t room) {
  if (size > room) abort();
  return read(fd, bytes, size);
}
// std::cin reads so. glibc keeps what ferror() says in the stream's flags.
static void FailStream(FILE* stream) { stream->_flags |= 0x20; }
#undef getc
int getc(FILE* stream) {
  if (StrikesFd("read", fileno(stream))) return FailStream(stream), EOF;
  return fgetc(stream);
}
size_t fread(void* bytes, size_t size, size_t number, FILE* stream) {
  if (StrikesFd("read", fileno(stream))) return FailStream(stream), 0;
  return NEXT("fread", size_t(*)(void*, size_t, size_t, FILE*))(bytes, size, number, stream);
}
// Few bytes are half of the first part that has any.
#define VECTOR(name, kind, number)                                              \
  ssize_t name(int fd, const struct iovec* parts, int count) {                  \
    if (!StrikesFd(kind, fd)) return syscall(number, fd, parts, count);         \
    if (error_number != kShort) return -1;                                      \
    while (count > 1 && parts->iov_len == 0) ++parts, --count;                  \
    struct iovec part = *parts;                                                 \
    part.iov_len -= part.iov_len / 2;                                           \
    return syscall(number, fd, &part, 1);                                       \
  }
VECTOR(readv, "read", SYS_readv)
VECTOR(writev, "write", SYS_writev)
#define PREAD(name, checked)                                                             \
  ssize_t name(int fd, void* bytes, size_t size, off_t offset) {                         \
    BYTES("read", fd, size);                                                             \
    return syscall(SYS_pread64, fd, bytes, size, offset);                                \
  }                                                                                      \
  ssize_t checked(int fd, void* bytes, size_t size, off_t offset, size_t room) {         \
    if (size > room) abort();                                                            \
    return name(fd, bytes, size, offset);                                                \
  }
PREAD(pread, __pread_chk)
PREAD(pread64, __pread64_chk)
ssize_t write(int fd, const void* bytes, size_t size) {
  BYTES("write", fd, size);
  return syscall(SYS_write, fd, bytes, size);
}
#define PWRITE(name)                                                   \
  ssize_t name(int fd, const void* bytes, size_t size, off_t offset) { \
    BYTES("write", fd, size);                                          \
    return syscall(SYS_pwrite64, fd, bytes, size, offset);             \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

#define MMAP(name)                                                                         \
  void* name(void* address, size_t size, int protection, int flags, int fd, off_t offset) { \
    if ((flags & MAP_ANONYMOUS) != 0) {                                                    \
      if (size >= least && Strikes("anon", "anonymous memory")) return MAP_FAILED;         \
    } else if (StrikesFd("map", fd)) {                                                     \
      return MAP_FAILED;                                                                   \
    }                                                                                      \
    return (void*)syscall(SYS_mmap, address, size, protection, flags, fd, offset);         \
  }
MMAP(mmap)
MMAP(mmap64)
int madvise(void* address, size_t size, int advice) {
  if (Strikes("advise", "madvise")) return -1;
  return (int)syscall(SYS_madvise, address, size, advice);
}
void* mremap(void* address, size_t size, size_t new_size, int flags, ...) {
  va_list list;
  va_start(list, flags);
  void* to = (flags & MREMAP_FIXED) != 0 ? va_arg(list, void*) : NULL;
  va_end(list);
  if (Strikes("remap", "mremap")) return MAP_FAILED;
  return (void*)syscall(SYS_mremap, address, size, new_size, flags, to);
}
int mprotect(void* address, size_t size, int protection) {
  if (Strikes("protect", "mprotect")) return -1;
  return (int)syscall(SYS_mprotect, address, size, protection);
}
int mlock(const void* address, size_t size) {
  if (Strikes("pin", "mlock")) return -1;
  return (int)syscall(SYS_mlock, address, size);
}
int memfd_create(const char* name, unsigned flags) {
  if (Strikes("memfd", name)) return -1;
  return (int)syscall(SYS_memfd_create, name, flags);
}

#define TRUNCATE(name)                              \
  int name(int fd, off_t size) {                    \
    if (StrikesFd("truncate", fd)) return -1;       \
    return (int)syscall(SYS_ftruncate, fd, size);   \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)
#define ALLOCATE(name)                                                           \
  int name(int fd, off_t offset, off_t size) {                                   \
    if (StrikesFd("allocate", fd)) return (int)error_number;                     \
    return NEXT(#name, int (*)(int, off_t, off_t))(fd, offset, size);            \
  }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)
int fsync(int fd) {
  if (StrikesFd("sync", fd)) return -1;
  return (int)syscall(SYS_fsync, fd);
}
// The descriptor is gone all the same, as on Linux.
int close(int fd) {
  const int strikes = StrikesFd("close", fd);
  const int saved = errno;
  const int result = (int)syscall(SYS_close, fd);
  if (!strikes) return result;
  errno = saved;
  return -1;
}
int flock(int fd, int operation) {
  if (StrikesFd("lock", fd)) return -1;
  return (int)syscall(SYS_flock, fd, operation);
}

int rename(const char* from, const char* to) {
  if (Strikes("rename", to)) return -1;
  return (int)syscall(SYS_rename, from, to);
}
int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  if (StrikesAt("link", to_folder, to)) return -1;
  return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}
int symlink(const char* target, const char* path) {
  if (Strikes("link", path)) return -1;
  return (int)syscall(SYS_symlink, target, path);
}
int unlink(const char* path) {
  if (Strikes("unlink", path)) return -1;
  return (int)syscall(SYS_unlink, path);
}
int unlinkat(int folder, const char* path, int flags) {
  if (StrikesAt("unlink", folder, path)) return -1;
  return (int)syscall(SYS_unlinkat, folder, path, flags);
}
int remove(const char* path) {
  if (Strikes("unlink", path)) return -1;
  return NEXT("remove", int (*)(const char*))(path);
}
int mkdir(const char* path, mode_t mode) {
  if (Strikes("mkdir", path)) return -1;
  return (int)syscall(SYS_mkdir, path, mode);
}
char* mkdtemp(char* path) {
  if (Strikes("mkdir", path)) return NULL;
  return NEXT("mkdtemp", char* (*)(char*))(path);
}
char* realpath(const char* path, char* resolved) {
  if (Strikes("resolve", path)) return NULL;
  return NEXT("realpath", char* (*)(const char*, char*))(path, resolved);
}
int utimensat(int folder, const char* path, const struct timespec times[2], int flags) {
  if (StrikesAt("touch", folder, path)) return -1;
  return (int)syscall(SYS_utimensat, folder, path, times, flags);
}

// What the file system has free, and of which kind it is.
#define SPACE(name, info)                                              \
  int name(const char* path, struct info* answer) {                    \
    if (Strikes("space", path)) return -1;                             \
    return NEXT(#name, int (*)(const char*, struct info*))(path, answer); \
  }
SPACE(statvfs, statvfs)
SPACE(statvfs64, statvfs64)
SPACE(statfs, statfs)
#define FSPACE(name, info)                                             \
  int name(int fd, struct info* answer) {                              \
    if (StrikesFd("space", fd)) return -1;                             \
    return NEXT(#name, int (*)(int, struct info*))(fd, answer);        \
  }
FSPACE(fstatvfs, statvfs)
FSPACE(fstatfs, statfs)
FSPACE(fstatfs64, statfs64)

// For a program of another language.
int pipe2(int ends[2], int flags) {
  if (Strikes("child", "a pipe")) return -1;
  return (int)syscall(SYS_pipe2, ends, flags);
}
pid_t fork(void) {
  if (Strikes("child", "a process")) return -1;
  return NEXT("fork", pid_t (*)(void))();
}

#define FSTAT(name, status)                      \
  int name(int fd, struct status* info) {        \
    if (StrikesFd("stat", fd)) return -1;        \
    return (int)syscall(SYS_fstat, fd, info);    \
  }
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

// Whether something is there, and what: a failure is not absence.
#define LOOK(name, status, number)                   \
  int name(const char* path, struct status* info) {  \
    if (Strikes("look", path)) return -1;            \
    return (int)syscall(number, path, info);         \
  }
LOOK(stat, stat, SYS_stat)
LOOK(stat64, stat64, SYS_stat)
LOOK(lstat, stat, SYS_lstat)
LOOK(lstat64, stat64, SYS_lstat)
#define LOOKAT(name, status)                                                \
  int name(int folder, const char* path, struct status* info, int flags) {  \
    if (StrikesAt("look", folder, path)) return -1;                         \
    return (int)syscall(SYS_newfstatat, folder, path, info, flags);         \
  }
LOOKAT(fstatat, stat)
LOOKAT(fstatat64, stat64)
int statx(int folder, const char* path, int flags, unsigned mask, struct statx* info) {
  if (StrikesAt("look", folder, path)) return -1;
  return (int)syscall(SYS_statx, folder, path, flags, mask, info);
}
int access(const char* path, int mode) {
  if (Strikes("look", path)) return -1;
  return (int)syscall(SYS_access, path, mode);
}
int faccessat(int folder, const char* path, int mode, int flags) {
  if (StrikesAt("look", folder, path)) return -1;
  return NEXT("faccessat", int (*)(int, const char*, int, int))(folder, path, mode, flags);
}
#define EFFECTIVE_ACCESS(name)                                    \
  int name(const char* path, int mode) {                          \
    if (Strikes("look", path)) return -1;                         \
    return NEXT(#name, int (*)(const char*, int))(path, mode);    \
  }
EFFECTIVE_ACCESS(euidaccess)
EFFECTIVE_ACCESS(eaccess)

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  if (Strikes("thread", "a thread")) return (int)error_number;
  typedef int (*Create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  return NEXT("pthread_create", Create)(thread, attributes, body, argument);
}

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);
static int NoMemory(size_t size) { return size >= least && Strikes("malloc", "memory"); }
void* malloc(size_t size) { return NoMemory(size) ? NULL : __libc_malloc(size); }
void* calloc(size_t number, size_t size) {
  return NoMemory(size != 0 && number > (size_t)-1 / size ? (size_t)-1 : number * size) ? NULL : __libc_calloc(number, size);
}
void* realloc(void* memory, size_t size) { return NoMemory(size) ? NULL : __libc_realloc(memory, size); }
void* aligned_alloc(size_t alignment, size_t size) { return NoMemory(size) ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void** memory, size_t alignment, size_t size) {
  if (NoMemory(size)) return ENOMEM;
  *memory = __libc_memalign(alignment, size);
  return *memory == NULL ? ENOMEM : 0;
}
// NOLINTEND(bugprone-reserved-identifier,bugprone-macro-parentheses,performance-no-int-to-ptr)
