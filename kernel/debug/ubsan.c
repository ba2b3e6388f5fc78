/*
 * What -fsanitize=undefined calls in the debug build: each finding is a panic that names kind and place.
 * The layouts are those of the compilers' ABI: every data block begins with the source location (the
 * type-mismatch, bounds and shift blocks go on with types that a report does not need).
 */
#include <debug/panic.h>

#ifdef CONFIG_DEBUG
struct ubsan_location {
	const char *file;
	u32 line, column;
};

__noreturn static void report(const char *what, const struct ubsan_location *at)
{
	panic("undefined behaviour: %s at %s:%u:%u", what, at->file, at->line, at->column);
}

#define HANDLER(name, what, ...)                                                                   \
	void __ubsan_handle_##name(struct ubsan_location *at, ##__VA_ARGS__);                      \
	void __ubsan_handle_##name(struct ubsan_location *at, ##__VA_ARGS__)                       \
	{                                                                                          \
		report(what, at);                                                                  \
	}

HANDLER(add_overflow, "signed addition overflows", void *a, void *b)
HANDLER(sub_overflow, "signed subtraction overflows", void *a, void *b)
HANDLER(mul_overflow, "signed multiplication overflows", void *a, void *b)
HANDLER(negate_overflow, "negation overflows", void *a)
HANDLER(divrem_overflow, "division by zero or overflow", void *a, void *b)
HANDLER(shift_out_of_bounds, "shift by too much or of a negative value", void *a, void *b)
HANDLER(out_of_bounds, "index out of bounds", void *index)
HANDLER(load_invalid_value, "load of a value the type does not have", void *value)
HANDLER(builtin_unreachable, "unreachable code reached")
HANDLER(missing_return, "a function ended without its value")
HANDLER(vla_bound_not_positive, "variable-length array of no size", void *bound)
HANDLER(type_mismatch_v1, "null, misaligned or too small object", void *pointer)
HANDLER(nonnull_arg, "null passed where it must not be")
HANDLER(pointer_overflow, "pointer arithmetic overflows", void *a, void *b)
HANDLER(invalid_builtin, "builtin called with zero")
#endif
