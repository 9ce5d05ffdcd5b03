#include "protocol/wire/detail/zstd.h"

#include <zstd.h>

#include <memory>

#include "protocol/base/check.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::wire::detail {
namespace {

constexpr std::size_t kSmallestFrame = 9;
constexpr std::size_t kBlockOverhead = 64;                 // Of a block that does not compress: 3
constexpr std::string_view kMagic("\x28\xB5\x2F\xFD", 4);  // Not a skippable frame

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ::ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
};

// A context is about 1.3 MB and takes longer to make than a small batch takes to pack.
ZSTD_CCtx* compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context = [] {
    std::unique_ptr<ZSTD_CCtx, FreeContext> made(::ZSTD_createCCtx());
    CHECK(made != nullptr);
    CHECK(!::ZSTD_isError(::ZSTD_CCtx_setParameter(made.get(), ZSTD_c_checksumFlag, 1)));
    return made;
  }();
  return context.get();
}

ZSTD_DCtx* decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(::ZSTD_createDCtx());
  CHECK(context != nullptr);
  return context.get();
}

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "packed body: " + std::string(why));
}

// Like ZSTD_compress2, but a block ends at each end.
std::size_t compress_parts(ZSTD_CCtx* context, ZSTD_outBuffer out, std::string_view body,
                           std::span<const std::size_t> ends) {
  CHECK(ends.back() == body.size());
  CHECK(!::ZSTD_isError(::ZSTD_CCtx_reset(context, ZSTD_reset_session_only)));
  CHECK(!::ZSTD_isError(::ZSTD_CCtx_setPledgedSrcSize(context, body.size())));
  ZSTD_inBuffer in{body.data(), 0, 0};
  for (const auto end : ends) {
    in.size = end;
    const auto left =
        ::ZSTD_compressStream2(context, &out, &in, end == body.size() ? ZSTD_e_end : ZSTD_e_flush);
    if (::ZSTD_isError(left)) return left;
    CHECK(left == 0);  // The bound leaves room for all
  }
  return out.pos;
}

}  // namespace

Result<std::string> compress(std::string_view body, Effort effort,
                             std::span<const std::size_t> ends) {
  if (body.size() > kMaxBodyBytes) {
    return Error(Errc::kLimit, "body of " + std::to_string(body.size()) + " bytes is above " +
                                   std::to_string(kMaxBodyBytes));
  }
  // Nobody writes to most of it: left as it is, it costs no page.
  const auto bound = ::ZSTD_compressBound(body.size()) + ends.size() * kBlockOverhead;
  const auto out = std::make_unique_for_overwrite<char[]>(bound);
  auto* const context = compressor();
  const auto level = static_cast<int>(effort);
  CHECK(!::ZSTD_isError(::ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)));
  const auto size = ends.empty()
                        ? ::ZSTD_compress2(context, out.get(), bound, body.data(), body.size())
                        : compress_parts(context, {out.get(), bound, 0}, body, ends);
  if (::ZSTD_isError(size)) {
    return Error(Errc::kInternal, std::string("zstd: ") + ::ZSTD_getErrorName(size));
  }
  if (size > kMaxPackedBytes) {
    return Error(Errc::kLimit, "packed body of " + std::to_string(size) + " bytes is above " +
                                   std::to_string(kMaxPackedBytes));
  }
  return std::string(out.get(), size);
}

Result<std::string> decompress(std::string_view packed) {
  if (packed.size() < kSmallestFrame || !packed.starts_with(kMagic)) return corrupt("not zstd");
  if (packed.size() > kMaxPackedBytes) return corrupt("too long");
  const auto size = ::ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR) return corrupt("not zstd");
  if (size == ZSTD_CONTENTSIZE_UNKNOWN) return corrupt("does not state its size");
  if (size > kMaxBodyBytes) return corrupt("states " + std::to_string(size) + " bytes");
  if (::ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size()) {
    return corrupt("not exactly one frame");
  }
  std::string out(size, '\0');
  const auto got =
      ::ZSTD_decompressDCtx(decompressor(), out.data(), out.size(), packed.data(), packed.size());
  if (::ZSTD_isError(got)) return corrupt(::ZSTD_getErrorName(got));
  if (got != size) return corrupt("shorter than it states");
  return out;
}

}  // namespace observeai::wire::detail
