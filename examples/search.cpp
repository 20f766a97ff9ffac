// A search from C++: handles in unique_ptr, errors as exceptions, the evaluation a lambda.
//
//   c++ -std=c++17 search.cpp $(pkg-config --cflags --libs libnas) -o search
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <libnas/libnas.h>

// One deleter for all handles.
struct Free {
    void operator()(nas_context *p) const { nas_context_free(p); }
    void operator()(nas_space *p) const { nas_space_free(p); }
    void operator()(nas_controller *p) const { nas_controller_free(p); }
    void operator()(nas_evaluator *p) const { nas_evaluator_free(p); }
    void operator()(nas_search *p) const { nas_search_free(p); }
};
template <typename T> using Handle = std::unique_ptr<T, Free>;

static nas_context *context_of_errors;
static void check(nas_status status) {
    if (status < 0) throw std::runtime_error(nas_context_error(context_of_errors));
}

using Judge = std::function<double(const nas_proposal *)>;

// No exception may pass through the library: it becomes the reason of an infeasible trial.
static nas_status evaluate(void *user, const nas_proposal *asked, nas_reporter *,
                           nas_result_builder *out) {
    try {
        return nas_result_set(out, "accuracy", (*static_cast<Judge *>(user))(asked));
    } catch (const std::exception &error) {
        return nas_context_fail(context_of_errors, NAS_E_CALLBACK, error.what());
    }
}

static std::int64_t value(const nas_proposal *asked, std::uint32_t decision) {
    nas_value found;
    check(nas_proposal_value(asked, decision, &found));
    return found.integer;
}

int main() {
    // What is declared first is destroyed last: the context outlives all that is made from it.
    Handle<nas_context> context;
    Handle<nas_space> space;
    Handle<nas_controller> controller;
    Handle<nas_evaluator> evaluator;
    Handle<nas_search> search;
    try {
        nas_context *new_context = nullptr;
        if (nas_context_create(&new_context, nullptr) < 0) return 1;
        context.reset(context_of_errors = new_context);

        nas_space *new_space = nullptr;
        check(nas_space_create(&new_space, context.get(), "example"));
        space.reset(new_space);
        check(nas_space_add_integer(space.get(), "depth", 1, 16, 1));
        check(nas_space_add_integer(space.get(), "width", 8, 64, 8));
        check(nas_space_finish(space.get()));

        const char *const settings[] = {"population=16", "sample=4"};
        nas_controller *new_controller = nullptr;
        check(nas_controller_named(&new_controller, space.get(), "evolution", settings, 2));
        controller.reset(new_controller);

        Judge judge = [](const nas_proposal *asked) {
            std::int64_t depth = value(asked, 0), width = value(asked, 1);
            if (depth * width > 800) throw std::length_error("too large for the device");
            double far = static_cast<double>(depth - 9) / 16 + static_cast<double>(width - 40) / 64;
            return 0.9 - far * far;
        };
        nas_evaluator *new_evaluator = nullptr;
        check(nas_evaluator_callback(&new_evaluator, context.get(), 0, evaluate, &judge, nullptr));
        evaluator.reset(new_evaluator);

        nas_named_evaluator named = {"judge", evaluator.get()};
        nas_search_options options;
        nas_search_options_init(&options);
        options.space = space.get();
        options.controller = controller.get();
        options.evaluators = &named;
        options.n_evaluators = 1;
        options.max_trials = 200;
        nas_search *new_search = nullptr;
        check(nas_search_create(&new_search, context.get(), &options));
        search.reset(new_search);
        check(nas_search_run(search.get(), nullptr));

        nas_trial best = {};
        best.struct_size = sizeof best;
        check(nas_search_best(search.get(), &best));
        std::printf("best of %llu: %s\n",
                    static_cast<unsigned long long>(nas_search_trials(search.get())), best.arch);
        search.reset(); // before the lambda that it calls
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
