#include "tests/support/fault_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <utility>

#include "protocol/base/check.h"

namespace observeai::test {
namespace {

struct Plan {
  IoFault fault = IoFault::kNone;
  std::uint64_t at = 0;
  bool for_good = false;
  std::uint64_t sites = 0;
  std::uint64_t faults = 0;
  std::function<void()> before_site;

  IoFault next() {
    if (before_site) before_site();
    const std::uint64_t site = sites++;
    if (fault == IoFault::kNone || site < at || (site > at && !for_good)) return IoFault::kNone;
    ++faults;
    return fault;
  }
};
Plan plan;

// The real file lies behind it in the same memory.
struct FaultFile {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
FaultFile* as_fault(sqlite3_file* file) {
  return reinterpret_cast<FaultFile*>(file);
}
sqlite3_file* real_of(sqlite3_file* file) {
  return as_fault(file)->real();
}

int close_file(sqlite3_file* file) {
  return real_of(file)->pMethods->xClose(real_of(file));
}
int read_file(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
  return real_of(file)->pMethods->xRead(real_of(file), to, bytes, at);
}
int write_file(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  sqlite3_file* real = real_of(file);
  const IoFault fault = plan.next();
  if (fault == IoFault::kError) return SQLITE_IOERR_WRITE;
  const bool half = fault == IoFault::kShort || fault == IoFault::kFull;
  const int done = real->pMethods->xWrite(real, from, half ? bytes / 2 : bytes, at);
  if (fault == IoFault::kFull) return SQLITE_FULL;
  return fault == IoFault::kNone ? done : SQLITE_IOERR_WRITE;
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  sqlite3_file* real = real_of(file);
  const IoFault fault = plan.next();
  if (fault != IoFault::kNone && fault != IoFault::kDoneButError) return SQLITE_IOERR_TRUNCATE;
  const int done = real->pMethods->xTruncate(real, size);
  return fault == IoFault::kNone ? done : SQLITE_IOERR_TRUNCATE;
}
int sync_file(sqlite3_file*, int) {
  const IoFault fault = plan.next();
  return fault == IoFault::kNone ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}
int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}
int lock_file(sqlite3_file* file, int lock) {
  return real_of(file)->pMethods->xLock(real_of(file), lock);
}
int unlock_file(sqlite3_file* file, int lock) {
  return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}
int check_reserved(sqlite3_file* file, int* reserved) {
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}
int control_file(sqlite3_file* file, int operation, void* argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}
int sector_size(sqlite3_file* file) {
  return real_of(file)->pMethods->xSectorSize(real_of(file));
}
int characteristics(sqlite3_file* file) {
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

// Version 1: no shared memory, which an exclusive connection does not need.
const sqlite3_io_methods kMethods = {1,
                                     close_file,
                                     read_file,
                                     write_file,
                                     truncate_file,
                                     sync_file,
                                     size_of_file,
                                     lock_file,
                                     unlock_file,
                                     check_reserved,
                                     control_file,
                                     sector_size,
                                     characteristics,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs fault_vfs;

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const int code = real_vfs->xOpen(real_vfs, name, real_of(file), flags, out_flags);
  if (code == SQLITE_OK) file->pMethods = &kMethods;
  return code;
}

}  // namespace

FaultVfs::FaultVfs() {
  plan = {};
  CHECK(sqlite3_initialize() == SQLITE_OK);
  real_vfs = sqlite3_vfs_find(nullptr);
  fault_vfs = *real_vfs;
  fault_vfs.zName = "fault";
  fault_vfs.pNext = nullptr;
  fault_vfs.szOsFile = static_cast<int>(sizeof(FaultFile)) + real_vfs->szOsFile;
  fault_vfs.xOpen = open_file;
  CHECK(sqlite3_vfs_register(&fault_vfs, 1) == SQLITE_OK);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&fault_vfs);
  sqlite3_vfs_register(real_vfs, 1);
}

void FaultVfs::fail(IoFault fault, std::uint64_t at, bool for_good) {
  plan = {fault, at, for_good, 0, 0, std::move(plan.before_site)};
}
void FaultVfs::heal() {
  plan = {IoFault::kNone, 0, false, 0, plan.faults, std::move(plan.before_site)};
}
void FaultVfs::watch(std::function<void()> before_site) {
  plan.before_site = std::move(before_site);
}
std::uint64_t FaultVfs::sites() const {
  return plan.sites;
}
std::uint64_t FaultVfs::faults() const {
  return plan.faults;
}

}  // namespace observeai::test
