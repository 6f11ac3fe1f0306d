// The lock of a model for Python: "with lock.reading:", "with lock.training:", "with lock.writing:".
#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>

#include "base/bad_input.h"
#include "network/model_lock.h"
#include "python/released.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace hashslide {
namespace {

using Mode = ModelLock::Mode;

struct Guard {
    std::shared_ptr<ModelLock> lock;
    Mode mode;
};

// Waiting threads let the interpreter go on, so that whoever holds the lock can come to its end.
void enter(Guard& guard) {
    stay_at_exit();
    if (!guard.lock->try_acquire(guard.mode)) {
        refuse_at_exit();
        released([&] { guard.lock->acquire(guard.mode); });
    }
    count_guards(1);
}

void leave(Guard& guard, const nb::args&) {
    guard.lock->release(guard.mode);
    count_guards(-1);
    stay_at_exit();
}

template <Mode mode>
Guard guard(std::shared_ptr<ModelLock> lock) {
    return {std::move(lock), mode};
}

thread_local std::vector<std::shared_ptr<ModelLock>> held;  // by this thread, while it forks

void hold_all() {
    released([] { held = ModelLock::hold_all(); });
}

void release_all() {
    ModelLock::release_all(held);
    held.clear();
}

// The exceptions of hashslide.errors.
void translate(const std::exception_ptr& error, void*) {
    const auto raise = [](const char* name, const char* message) {
        PyErr_SetString(nb::module_::import_("hashslide.errors").attr(name).ptr(), message);
    };
    try {
        std::rethrow_exception(error);
    } catch (const BadInput& e) {
        raise("InputError", e.what());
    } catch (const ModelLock::Refused& e) {
        raise("ModelBusyError", e.what());
    }
}

}  // namespace

void bind_lock(nb::module_& m) {
    nb::register_exception_translator(translate);
    nb::class_<Guard>(m, "Guard", "A way of holding a lock.")
        .def("__enter__", &enter)
        .def("__exit__", &leave, "error"_a);
    nb::class_<ModelLock>(m, "ModelLock", "The lock of a model; see core/network/model_lock.h.")
        .def(nb::new_(&ModelLock::make))
        .def_prop_ro("reading", &guard<Mode::reading>, nb::rv_policy::move)
        .def_prop_ro("training", &guard<Mode::training>, nb::rv_policy::move)
        .def_prop_ro("writing", &guard<Mode::writing>, nb::rv_policy::move);
    m.def("hold_all_locks", &hold_all, "Before a fork.");
    m.def("release_all_locks", &release_all, "After a fork, in both processes.");
    nb::module_::import_("os").attr("register_at_fork")("before"_a = m.attr("hold_all_locks"),
                                                        "after_in_parent"_a = m.attr("release_all_locks"),
                                                        "after_in_child"_a = m.attr("release_all_locks"));
}

}  // namespace hashslide
