// The output layer of another library: its tensors are borrowed through DLPack, and results are written into them.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <optional>
#include <utility>
#include <variant>

#include "head/row_updates.h"
#include "head/sampled_head.h"
#include "head/streamed_head.h"
#include "python/arrays.h"
#include "python/released.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using namespace hashslide;

template <class T>
using OutRow = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using OutMatrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
// bfloat16 comes as the integers of its bits.
using HalfMatrix = nb::ndarray<const std::int16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Weight = std::variant<Matrix, HalfMatrix>;
using Bias = std::optional<In<float>>;

HeadView head_view(const Weight& weight, const Bias& bias) {
    HeadView view;
    if (const Matrix* single = std::get_if<Matrix>(&weight)) {
        view.weight = {single->data(), nullptr, static_cast<Index>(single->shape(1))};
        view.n_classes = static_cast<Index>(single->shape(0));
    } else {
        const HalfMatrix& half = std::get<HalfMatrix>(weight);
        view.weight = {nullptr, reinterpret_cast<const Bf16*>(half.data()), static_cast<Index>(half.shape(1))};
        view.n_classes = static_cast<Index>(half.shape(0));
    }
    view.bias = bias ? bias->data() : nullptr;
    return view;
}

HeadLabels labels_of(const In<Index>& begin, const In<Index>& ids, const In<float>& weight) {
    return {static_cast<Index>(begin.size()) - 1, begin.data(), ids.data(), weight.data()};
}

LossKind loss_kind(bool is_bce) { return is_bce ? LossKind::bce : LossKind::softmax; }

template <class T>
T* data_or_null(std::optional<nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>>& out) {
    return out ? out->data() : nullptr;
}
template <class T>
T* data_or_null(std::optional<nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>>& out) {
    return out ? out->data() : nullptr;
}

ActiveClasses active_classes(Index n_classes, Index negatives, bool in_batch, const std::optional<In<float>>& counts,
                             Index n_examples, std::uint64_t seed, std::uint64_t step, const HeadLabels& labels,
                             Index n_counted, const std::optional<std::pair<In<Index>, In<Id>>>& found) {
    const DrawSettings settings{n_classes,  negatives, in_batch, counts ? counts->data() : nullptr,
                                n_examples, seed,      step};
    const FoundClasses classes =
        found ? FoundClasses{found->first.data(), found->second.data()} : FoundClasses{nullptr, nullptr};
    return draw_active(settings, labels, n_counted, classes);
}

}  // namespace

void bind_head(nb::module_& m) {
    nb::class_<SampledHead>(m, "SampledHead", "Linear layer and loss on the active classes of a batch.")
        .def(nb::init<>())
        .def(
            "forward",
            [](SampledHead& self, bool is_bce, const Weight& weight, const Bias& bias, const Matrix& h,
               const In<Index>& begin, const In<Index>& ids, const In<float>& label_weight, Index negatives,
               bool in_batch, const std::optional<In<float>>& counts, Index n_examples, std::uint64_t seed,
               std::uint64_t step, Index n_counted, const std::optional<std::pair<In<Index>, In<Id>>>& found,
               OutRow<float>& losses, int n_threads) {
                const HeadView view = head_view(weight, bias);
                const HeadLabels labels = labels_of(begin, ids, label_weight);
                released([&] {
                    self.forward(loss_kind(is_bce), view, h.data(), labels,
                                 active_classes(view.n_classes, negatives, in_batch, counts, n_examples, seed, step,
                                                labels, n_counted, found),
                                 losses.data(), n_threads);
                });
            },
            "is_bce"_a, "weight"_a.noconvert(), "bias"_a.noconvert().none(), "h"_a.noconvert(), "begin"_a.noconvert(),
            "ids"_a.noconvert(), "label_weight"_a.noconvert(), "negatives"_a, "in_batch"_a,
            "counts"_a.noconvert().none(), "n_examples"_a, "seed"_a, "step"_a, "n_counted"_a,
            "found"_a.noconvert().none(), "losses"_a.noconvert(), "n_threads"_a,
            "Sets the losses (N,). h is borrowed until `backward`.")
        .def(
            "backward",
            [](SampledHead& self, const In<float>& gradients, std::optional<OutMatrix<float>> dh,
               std::optional<OutMatrix<float>> dw, std::optional<OutRow<float>> db, int n_threads) {
                released([&] {
                    self.backward(gradients.data(), data_or_null(dh), data_or_null(dw), data_or_null(db), n_threads);
                });
            },
            "gradients"_a.noconvert(), "dh"_a.noconvert().none(), "dw"_a.noconvert().none(), "db"_a.noconvert().none(),
            "n_threads"_a, "Sets the gradients: (N, width), (A, width) and (A,). Once.")
        .def_prop_ro("size", [](const SampledHead& self) { return self.active().ids.size(); })
        .def(
            "copy_ids",
            [](const SampledHead& self, OutRow<Index>& ids) {
                std::copy(self.active().ids.begin(), self.active().ids.end(), ids.data());
            },
            "ids"_a.noconvert())
        .def(
            "active",
            [](const SampledHead& self) {
                const ActiveClasses& a = self.active();
                return nb::make_tuple(to_array(a.ids), to_array(a.shift), to_array(a.places), to_array(a.target_shift));
            },
            "For tests: (ids, shift, places, target_shift).");
    m.def(
        "streamed_loss",
        [](bool is_bce, const Weight& weight, const Bias& bias, const Matrix& h, const In<Index>& begin,
           const In<Index>& ids, const In<float>& label_weight, OutRow<float>& losses, OutRow<float>& log_partition,
           OutRow<float>& target_logits, int n_threads) {
            const HeadView view = head_view(weight, bias);
            released([&] {
                streamed_loss(loss_kind(is_bce), view, h.data(), labels_of(begin, ids, label_weight),
                              {losses.data(), log_partition.data(), target_logits.data()}, n_threads);
            });
        },
        "is_bce"_a, "weight"_a.noconvert(), "bias"_a.noconvert().none(), "h"_a.noconvert(), "begin"_a.noconvert(),
        "ids"_a.noconvert(), "label_weight"_a.noconvert(), "losses"_a.noconvert(), "log_partition"_a.noconvert(),
        "target_logits"_a.noconvert(), "n_threads"_a);
    m.def(
        "streamed_gradient",
        [](bool is_bce, const Weight& weight, const Bias& bias, const Matrix& h, const In<Index>& begin,
           const In<Index>& ids, const In<float>& label_weight, OutRow<float>& log_partition,
           OutRow<float>& target_logits, const In<float>& gradients, std::optional<OutMatrix<float>> dh,
           std::optional<OutMatrix<float>> dw, std::optional<OutRow<float>> db, int n_threads) {
            const HeadView view = head_view(weight, bias);
            released([&] {
                streamed_gradient(loss_kind(is_bce), view, h.data(), labels_of(begin, ids, label_weight),
                                  {nullptr, log_partition.data(), target_logits.data()}, gradients.data(),
                                  data_or_null(dh), data_or_null(dw), data_or_null(db), n_threads);
            });
        },
        "is_bce"_a, "weight"_a.noconvert(), "bias"_a.noconvert().none(), "h"_a.noconvert(), "begin"_a.noconvert(),
        "ids"_a.noconvert(), "label_weight"_a.noconvert(), "log_partition"_a.noconvert(), "target_logits"_a.noconvert(),
        "gradients"_a.noconvert(), "dh"_a.noconvert().none(), "dw"_a.noconvert().none(), "db"_a.noconvert().none(),
        "n_threads"_a);
    m.def(
        "streamed_topk",
        [](const Weight& weight, const Bias& bias, const Matrix& h, OutMatrix<std::int64_t>& classes,
           OutMatrix<float>& scores, int n_threads) {
            const HeadView view = head_view(weight, bias);
            released([&] {
                streamed_topk(view, h.data(), static_cast<Index>(h.shape(0)), static_cast<Index>(scores.shape(1)),
                              classes.data(), scores.data(), n_threads);
            });
        },
        "weight"_a.noconvert(), "bias"_a.noconvert().none(), "h"_a.noconvert(), "classes"_a.noconvert(),
        "scores"_a.noconvert(), "n_threads"_a);

    using Rows = std::variant<OutMatrix<float>, OutMatrix<std::int16_t>>;
    const auto touched = [](const In<Index>& ids, const Matrix& gradient, Rows& weight, std::uint64_t key) {
        TouchedRows rows{.ids = {ids.data(), ids.size()},
                         .width = static_cast<Index>(gradient.shape(1)),
                         .gradient = gradient.data(),
                         .key = key};
        if (auto* single = std::get_if<OutMatrix<float>>(&weight))
            rows.single = single->data();
        else
            rows.half = reinterpret_cast<Bf16*>(std::get<OutMatrix<std::int16_t>>(weight).data());
        return rows;
    };
    m.def(
        "update_adagrad",
        [touched](const In<Index>& ids, const Matrix& gradient, Rows weight, OutRow<float>& sums, float rate,
                  float keep, std::uint64_t key, int n_threads) {
            const TouchedRows rows = touched(ids, gradient, weight, key);
            released([&] { update_adagrad(rows, sums.data(), rate, keep, n_threads); });
        },
        "ids"_a.noconvert(), "gradient"_a.noconvert(), "weight"_a.noconvert(), "sums"_a.noconvert(), "rate"_a, "keep"_a,
        "key"_a, "n_threads"_a);
    m.def(
        "update_adam",
        [touched](const In<Index>& ids, const Matrix& gradient, Rows weight, std::optional<OutMatrix<float>> first,
                  OutRow<float>& second, OutRow<std::int32_t>& steps, float rate, float beta1, float beta2,
                  float epsilon, float keep, std::uint64_t key, int n_threads) {
            const TouchedRows rows = touched(ids, gradient, weight, key);
            released([&] {
                update_adam(rows, {rate, beta1, beta2, epsilon, keep}, data_or_null(first), second.data(), steps.data(),
                            n_threads);
            });
        },
        "ids"_a.noconvert(), "gradient"_a.noconvert(), "weight"_a.noconvert(), "first"_a.noconvert().none(),
        "second"_a.noconvert(), "steps"_a.noconvert(), "rate"_a, "beta1"_a, "beta2"_a, "epsilon"_a, "keep"_a, "key"_a,
        "n_threads"_a);
}
