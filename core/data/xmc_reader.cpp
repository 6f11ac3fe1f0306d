#include "data/xmc_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace hashslide {
namespace {

constexpr Index max_ids = std::numeric_limits<Id>::max();
constexpr std::size_t max_header = 256;
constexpr std::size_t max_excerpt = 40;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

const char* skip_blanks(const char* p, const char* end) {
    while (p != end && is_blank(*p)) ++p;
    return p;
}

const char* token_end(const char* p, const char* end) { return std::find_if(p, end, is_blank); }

std::string_view without_carriage_return(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

// svmlight has no mark for "no labels": the first token is a feature then.
bool starts_with_feature(const char* p, const char* end) {
    const char* stop = token_end(p, end);
    return std::find(p, stop, ':') != stop;
}

// Where a line breaks off, the file was most likely cut; elsewhere something else stands there.
const char* fault_or_cut(const char* kind, const char* p, const char* end) {
    return p == end ? "truncated-line" : kind;
}

void merge_repeated(std::span<std::pair<Id, float>> row, XmcSide& side) {
    Id last = -1;
    for (const auto& [id, value] : row) {
        if (id == last) {
            side.data[side.data.size() - 1] += value;
        } else {
            side.indices.push_back(id);
            side.data.push_back(value);
        }
        last = id;
    }
}

}  // namespace

XmcParser::XmcParser(const XmcOptions& options) : options_(options) {
    features_.size = options.n_features >= 0 ? options.n_features : max_ids;
    labels_.size = options.n_labels >= 0 ? options.n_labels : options.labels ? max_ids : 0;
    forget_rows(0);
}

void XmcParser::forget_rows(Index n_rows) {
    n_forgotten_ += n_rows;
    for (XmcSide* side : {&labels_, &features_}) {
        side->indptr.truncate(0);
        side->indptr.push_back(0);
        side->indices.truncate(0);
        side->data.truncate(0);
    }
}

void XmcParser::feed(std::string_view chunk) {
    for (auto stop = chunk.find('\n'); stop != chunk.npos; stop = chunk.find('\n')) {
        if (tail_.empty()) {
            parse_line(chunk.substr(0, stop));
        } else {
            tail_.append(chunk.substr(0, stop));
            parse_line(tail_);
            tail_.clear();
        }
        chunk.remove_prefix(stop + 1);
    }
    tail_.append(chunk);
    if (options_.header && line_ == 0 && tail_.size() > max_header) {
        line_ = 1;
        fail("header", tail_);
    }
}

void XmcParser::finish() {
    const bool cut = !tail_.empty();
    if (cut) parse_line(tail_);
    if (line_ == 0) fail("empty-file", "");
    if (options_.header) {
        finish_header_file(cut);
    } else {
        if (options_.n_features < 0) features_.size = features_.largest + 1;
        if (options_.n_labels < 0) labels_.size = labels_.largest + 1;
    }
}

void XmcParser::finish_header_file(bool cut) {
    if (n_rows() == n_rows_promised_) return;
    if (n_rows() < n_rows_promised_ && cut) fail("truncated-file", std::to_string(n_rows()));
    if (!options_.lenient) fail("too-few-rows", std::to_string(n_rows()));
    repairs_[row_count] = {repairs_[row_count].kind, 1, 1};
}

void XmcParser::parse_line(std::string_view line) {
    ++line_;
    line = without_carriage_return(line);
    if (options_.header && line_ == 1) return parse_header(line);
    if (const auto hash = options_.header ? line.npos : line.find('#'); hash != line.npos) {
        if (hash == 0) return;
        line = line.substr(0, hash);
    }
    if (line.empty() && (options_.labels || n_rows() == n_rows_promised_)) {
        if (blank_line_ == 0) blank_line_ = line_;
        return;
    }
    if (blank_line_ > 0) {
        line_ = blank_line_;
        fail("blank-line", "");
    }
    parse_row(line.data(), line.data() + line.size());
}

void XmcParser::parse_header(std::string_view line) {
    const char* p = line.data();
    const char* const end = p + line.size();
    const std::array<Index*, 3> counts{&n_rows_promised_, &features_.size, &labels_.size};
    for (Index* count : std::span(counts).first(options_.labels ? 3 : 2)) {
        p = skip_blanks(p, end);
        const auto [next, error] = std::from_chars(p, end, *count);
        if (error != std::errc() || *count < 0 || (next != end && !is_blank(*next))) fail("header", line);
        p = next;
    }
    if (skip_blanks(p, end) != end) fail("header", line);
    if (const Index most = std::max(features_.size, labels_.size); most > max_ids)
        fail("header-size", std::to_string(most));
}

void XmcParser::parse_row(const char* p, const char* end) {
    if (n_rows() == n_rows_promised_ && !options_.lenient) fail("too-many-rows", "");
    const Index first_label = labels_.indices.size();
    const Index first_feature = features_.indices.size();
    labels_ascend_ = features_ascend_ = true;
    if (options_.labels) p = parse_labels(p, end);
    for (Index previous = -1; (p = skip_blanks(p, end)) != end; previous = features_.indices.end()[-1]) {
        p = parse_feature(p, end, previous);
    }
    if (!labels_ascend_) repair_labels(first_label);
    if (!features_ascend_) repair_features(first_feature);
    end_row();
}

void XmcParser::end_row() {
    for (XmcSide* side : {&labels_, &features_}) {
        const Index start = side->indptr.end()[-1];
        const Index stop = side->indices.size();
        if (stop > start) side->largest = std::max<Index>(side->largest, side->indices[stop - 1]);
        side->indptr.push_back(stop);
    }
}

const char* XmcParser::parse_labels(const char* p, const char* end) {
    if (is_blank(*p) || (!options_.header && starts_with_feature(p, end))) return p;
    for (Index previous = -1;; previous = labels_.indices.end()[-1]) {
        p = parse_label(p, end, previous);
        if (p == end || is_blank(*p)) return p;
        ++p;
    }
}

// The label at p and nothing after it: returns the place of the comma, the blank or the end of the line.
const char* XmcParser::parse_label(const char* p, const char* end, Index previous) {
    Index id = 0;
    const auto [next, error] = std::from_chars(p, end, id);
    if (error == std::errc::result_out_of_range) fail_at("label-range", p, end);
    if (error != std::errc()) fail_at(fault_or_cut("bad-label", p, end), p, end);
    if (next != end && *next == ':' && previous < 0) fail_at("feature-first", p, end);
    if (next != end && *next != ',' && !is_blank(*next)) fail_at("bad-label", p, end);
    if (id < 0 || id >= labels_.size) fail_at("label-range", p, end);
    labels_ascend_ &= ascends(id, previous, unsorted_labels, repeated_label);
    labels_.indices.push_back(static_cast<Id>(id));
    return next;
}

const char* XmcParser::parse_feature(const char* p, const char* end, Index previous) {
    Index id = 0;
    float value = 0;
    const auto [next, error] = std::from_chars(p, end, id);
    if (error == std::errc::result_out_of_range) fail_at("feature-range", p, end);
    if (error != std::errc() || next == end || *next != ':') fail_at(fault_or_cut("bad-feature", next, end), p, end);
    const char* const value_end = parse_value(next + 1, end, value);
    if (value_end == nullptr) fail_at(fault_or_cut("bad-value", next + 1, end), p, end);
    if (!std::isfinite(value)) fail_at("not-finite", p, end);
    const Index base = options_.feature_base;
    if (id < base || id - base >= features_.size) fail_at("feature-range", p, end);
    features_ascend_ &= ascends(id, previous + base, unsorted_features, repeated_feature);
    features_.indices.push_back(static_cast<Id>(id - base));
    features_.data.push_back(value);
    return value_end;
}

// Where the number ends, or null if there is none or something sticks to it. Values too small for float become 0 and
// values too large become infinite, which is refused by the caller.
const char* XmcParser::parse_value(const char* p, const char* end, float& value) const {
    auto [next, error] = std::from_chars(p, end, value);
    if (error == std::errc::result_out_of_range) {
        double wide = std::numeric_limits<double>::infinity();
        std::from_chars(p, end, wide);
        value = static_cast<float>(wide);
    } else if (error != std::errc()) {
        return nullptr;
    }
    return next == end || is_blank(*next) ? next : nullptr;
}

bool XmcParser::ascends(Index id, Index previous, Fault unsorted, Fault repeated) {
    if (id > previous) return true;
    if (!options_.lenient) fail(repairs_[id == previous ? repeated : unsorted].kind, std::to_string(id));
    return false;
}

void XmcParser::repair_labels(Index first) {
    const auto row = labels_.indices.from(first);
    if (!std::is_sorted(row.begin(), row.end())) note(unsorted_labels);
    std::sort(row.begin(), row.end());
    const auto kept = std::unique(row.begin(), row.end()) - row.begin();
    if (kept < static_cast<std::ptrdiff_t>(row.size())) note(repeated_label);
    labels_.indices.truncate(first + kept);
}

void XmcParser::repair_features(Index first) {
    std::vector<std::pair<Id, float>> row;
    for (Index i = first; i < features_.indices.size(); ++i) row.emplace_back(features_.indices[i], features_.data[i]);
    const auto by_id = [](const auto& a, const auto& b) { return a.first < b.first; };
    if (!std::is_sorted(row.begin(), row.end(), by_id)) note(unsorted_features);
    std::stable_sort(row.begin(), row.end(), by_id);
    features_.indices.truncate(first);
    features_.data.truncate(first);
    merge_repeated(row, features_);
    if (features_.indices.size() - first < static_cast<Index>(row.size())) note(repeated_feature);
    const auto values = features_.data.from(first);
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) fail("sum-overflow", "");
}

void XmcParser::note(Fault fault) {
    XmcRepair& repair = repairs_[fault];
    if (repair.lines++ == 0) repair.first_line = line_;
}

void XmcParser::fail(const char* kind, std::string_view found) const {
    throw XmcError(kind, line_, found.substr(0, max_excerpt));
}

// What stands at p, up to the next blank.
void XmcParser::fail_at(const char* kind, const char* p, const char* end) const { fail(kind, {p, token_end(p, end)}); }

}  // namespace hashslide
