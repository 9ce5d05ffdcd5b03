#include "agent/spool/manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/spool/checksum.h"
#include "protocol/base/files.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kCopyBytes = 4096;                 // Each copy on a block of its own
constexpr std::uint64_t kMagic = 0x314D4C4F4F505341ULL;  // "ASPOOLM1"

// Numbers in this machine's order, the checksum last.
struct Image {
  std::uint64_t magic = kMagic;
  std::uint64_t generation = 0;
  ManifestContent content;
  std::uint64_t checksum = 0;

  std::uint64_t sum() const {
    return checksum64({reinterpret_cast<const char*>(this), offsetof(Image, checksum)});
  }
};
static_assert(std::is_trivially_copyable_v<Image> && sizeof(Image) <= kCopyBytes);

std::string block_of(const ManifestContent& content, std::uint64_t generation) {
  Image image;
  image.generation = generation;
  image.content = content;
  image.checksum = image.sum();
  std::string block(kCopyBytes, '\0');
  std::memcpy(block.data(), &image, sizeof image);
  return block;
}

std::optional<Image> image_in(std::string_view bytes, std::size_t at) {
  if (bytes.size() < at + sizeof(Image)) return std::nullopt;
  Image image;
  std::memcpy(&image, bytes.data() + at, sizeof image);
  if (image.magic != kMagic || image.checksum != image.sum()) return std::nullopt;
  return image;
}

Result<void> write_block(int descriptor, const std::string& path, const std::string& block,
                         std::size_t at) {
  std::size_t done = 0;
  while (done < block.size()) {
    const auto wrote = ::pwrite(descriptor, block.data() + done, block.size() - done,
                                static_cast<off_t>(at + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return files::from_errno("cannot write " + path, wrote < 0 ? errno : ENOSPC);
    done += static_cast<std::size_t>(wrote);
  }
  if (::fdatasync(descriptor) != 0) return files::from_errno("cannot sync " + path, errno);
  return {};
}

}  // namespace

std::string Manifest::path_in(const std::string& directory) {
  return directory + "/manifest";
}

Result<std::optional<Manifest>> Manifest::load(const std::string& directory) {
  const std::string path = path_in(directory);
  auto bytes = files::read(path, 1U << 20);
  if (!bytes) {
    if (bytes.error().code() == Errc::kNotFound || bytes.error().code() == Errc::kLimit)
      return std::optional<Manifest>();
    return std::move(bytes).error();
  }
  auto image = image_in(*bytes, 0);
  const auto other = image_in(*bytes, kCopyBytes);
  if (!image || (other && other->generation > image->generation)) image = other;
  if (!image) return std::optional<Manifest>();
  return std::optional<Manifest>(Manifest(path, image->content, image->generation));
}

Result<Manifest> Manifest::create(const std::string& directory, const ManifestContent& content) {
  const std::string path = path_in(directory);
  TRY_VOID(files::write_atomic(path, block_of(content, 1) + block_of(content, 2), 0600));
  return Manifest(path, content, 2);
}

Result<void> Manifest::write(const ManifestContent& content) {
  const int descriptor = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return files::from_errno("cannot open " + path_, errno);
  const std::uint64_t generation = generation_ + 1;
  auto written = write_block(descriptor, path_, block_of(content, generation),
                             generation % 2 == 1 ? 0 : kCopyBytes);
  ::close(descriptor);
  if (!written) return written;
  generation_ = generation;
  content_ = content;
  return {};
}

}  // namespace observeai::agent
