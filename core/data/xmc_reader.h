// Push parser of the XMC repository text formats, and of svmlight, their cousin without a header.
//
//   examples features labels      header, XMC only
//   l1,l2,... f:v f:v ...         one line per example; an example without labels begins with a space
//
// The newer sets keep features and labels in two matrices, each in a file of its own:
//
//   rows columns
//   c:v c:v ...                   an empty line is an empty row
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/types.h"
#include "data/growing_array.h"

namespace hashslide {

struct XmcOptions {
    bool header = true;      // false: svmlight; '#' starts a comment, sizes are given or follow from the largest ids
    bool labels = true;      // false: one matrix; its entries are features, and there are no labels
    bool lenient = false;    // repair what is harmless and count it in repairs()
    Index feature_base = 0;  // smallest feature id of the file; ids in memory always start at 0
    Index n_features = -1;   // svmlight only: -1 is "largest id + 1"
    Index n_labels = -1;
};

// What is wrong, where and what stands there; the sentence for the user is made in Python.
class XmcError : public std::runtime_error {
public:
    XmcError(const char* kind, Index at_line, std::string_view text)
        : std::runtime_error(kind), line(at_line), found(text) {}
    Index line;         // 1-based; 0: the file is empty
    std::string found;  // raw bytes of the file, or a number
};

struct XmcRepair {
    const char* kind;
    Index lines = 0;
    Index first_line = 0;
};

// Labels or features of the rows so far; `data` stays empty for labels.
struct XmcSide {
    Index size = 0;  // ids must be smaller
    Index largest = -1;
    GrowingArray<Index> indptr;
    GrowingArray<Id> indices;
    GrowingArray<float> data;
};

class XmcParser {
public:
    explicit XmcParser(const XmcOptions& options);

    // Takes any piece of the file; lines may be split between pieces. O(bytes). Throws XmcError, after which the parser
    // is of no more use.
    void feed(std::string_view chunk);
    // The file ends here: parses a last line without line feed and checks the header's promise.
    void finish();

    // Somebody else has got the arrays of the rows so far: go on with new ones.
    void forget_rows(Index n_rows);

    Index n_rows() const { return n_forgotten_ + n_held(); }  // of the file so far
    Index n_held() const { return labels_.indptr.size() - 1; }
    Index n_entries() const { return features_.indices.size() + labels_.indices.size(); }  // of the rows that are held
    Index n_rows_promised() const { return n_rows_promised_; }  // -1 without a header
    Index n_features() const { return features_.size; }
    Index n_labels() const { return labels_.size; }
    const auto& repairs() const { return repairs_; }
    XmcSide& labels() { return labels_; }
    XmcSide& features() { return features_; }

private:
    enum Fault { unsorted_labels, repeated_label, unsorted_features, repeated_feature, row_count };

    void parse_line(std::string_view line);
    void parse_header(std::string_view line);
    void parse_row(const char* p, const char* end);
    const char* parse_labels(const char* p, const char* end);
    const char* parse_label(const char* p, const char* end, Index previous);
    const char* parse_feature(const char* p, const char* end, Index previous);
    const char* parse_value(const char* p, const char* end, float& value) const;
    bool ascends(Index id, Index previous, Fault unsorted, Fault repeated);
    void end_row();
    void repair_labels(Index first);
    void repair_features(Index first);
    void note(Fault fault);
    void finish_header_file(bool cut);
    [[noreturn]] void fail(const char* kind, std::string_view found) const;
    [[noreturn]] void fail_at(const char* kind, const char* p, const char* end) const;

    XmcOptions options_;
    std::string tail_;  // start of a line whose end has not come yet
    Index line_ = 0;    // number of the line being parsed
    Index blank_line_ = 0;
    Index n_rows_promised_ = -1;
    Index n_forgotten_ = 0;
    bool labels_ascend_ = true;  // of the row being parsed
    bool features_ascend_ = true;
    XmcSide labels_;
    XmcSide features_;
    std::array<XmcRepair, 5> repairs_{
        {{"unsorted-labels"}, {"repeated-label"}, {"unsorted-features"}, {"repeated-feature"}, {"row-count"}}};
};

}  // namespace hashslide
