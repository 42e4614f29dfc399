#include "base/log_format.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace pt {
namespace {

using std::chrono::system_clock;

// Triton logs verbose lines as information.
char LetterOf(LogLevel level) {
  switch (level) {
    case LogLevel::kVerbose:
    case LogLevel::kInfo:
      return 'I';
    case LogLevel::kWarning:
      return 'W';
    case LogLevel::kError:
      return 'E';
  }
  return 'I';
}

std::string_view WordOf(LogLevel level) {
  switch (level) {
    case LogLevel::kVerbose:
      return "verbose";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

// "/build/csrc/base/log.cc:12" -> "log.cc:12".
std::string_view FileName(std::string_view where) {
  const size_t slash = where.rfind('/');
  return slash == std::string_view::npos ? where : where.substr(slash + 1);
}

// Length of the well-formed UTF-8 sequence at the front; 0 when there is none (RFC 3629 section 4).
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool is_overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool is_surrogate = first == 0xED && second > 0x9F;
  const bool is_too_large = first == 0xF4 && second > 0x8F;
  return is_overlong || is_surrogate || is_too_large ? 0 : length;
}

void AppendEscape(unsigned char c, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out += '\\';
  switch (c) {
    case '"':
      *out += '"';
      return;
    case '\\':
      *out += '\\';
      return;
    case '\b':
      *out += 'b';
      return;
    case '\f':
      *out += 'f';
      return;
    case '\n':
      *out += 'n';
      return;
    case '\r':
      *out += 'r';
      return;
    case '\t':
      *out += 't';
      return;
    default:
      break;
  }
  *out += "u00";
  *out += kHex[c >> 4];
  *out += kHex[c & 15];
}

bool IsPlain(unsigned char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

std::string SecondText(system_clock::time_point second, LogFormat format) {
  const std::time_t seconds = system_clock::to_time_t(second);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text;
  const char* const pattern = format == LogFormat::kDefault ? "%m%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%S";
  return {text.data(), std::strftime(text.data(), text.size(), pattern, &parts)};
}

}  // namespace

void AppendJsonEscaped(std::string_view text, std::string* out) {
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && IsPlain(static_cast<unsigned char>(text[plain]))) ++plain;
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const size_t length = Utf8Length(text);
    if (length > 1) {
      out->append(text.substr(0, length));
    } else if (length == 1) {
      AppendEscape(static_cast<unsigned char>(text[0]), out);
    } else {
      out->append("\xEF\xBF\xBD");
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

void LogFormatter::AppendTime(const LogLine& line, LogFormat format, std::string* out) {
  const auto second = std::chrono::floor<std::chrono::seconds>(line.time);
  if (second != last_second_ || format != last_format_) {
    last_second_ = second;
    last_format_ = format;
    last_text_ = SecondText(second, format);
  }
  *out += last_text_;
  if (format == LogFormat::kIso8601) return;
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(line.time - second);
  std::array<char, 8> digits;
  digits[0] = '.';
  int64_t rest = micros.count();
  for (size_t i = 6; i > 0; --i, rest /= 10) digits[i] = static_cast<char>('0' + rest % 10);
  out->append(digits.data(), 7);
}

void LogFormatter::Append(const LogLine& line, LogFormat format, std::string* out) {
  if (format == LogFormat::kJson) {
    *out += R"({"ts":")";
    AppendTime(line, format, out);
    *out += R"(Z","level":")";
    *out += WordOf(line.level);
    *out += R"(","where":")";
    AppendJsonEscaped(FileName(line.where), out);
    if (!line.request_id.empty()) {
      *out += R"(","request_id":")";
      AppendJsonEscaped(line.request_id, out);
    }
    *out += R"(","msg":")";
    AppendJsonEscaped(line.message, out);
    *out += "\"}\n";
    return;
  }
  if (format == LogFormat::kDefault) *out += LetterOf(line.level);
  AppendTime(line, format, out);
  if (format == LogFormat::kIso8601) (*out += "Z ") += LetterOf(line.level);
  *out += ' ';
  *out += std::to_string(process_id_);
  *out += ' ';
  *out += FileName(line.where);
  *out += "] \"";
  if (!line.request_id.empty()) {
    *out += "[request id: ";
    AppendJsonEscaped(line.request_id, out);
    *out += "] ";
  }
  AppendJsonEscaped(line.message, out);
  *out += "\"\n";
}

}  // namespace pt
