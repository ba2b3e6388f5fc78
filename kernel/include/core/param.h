/* Kept where core/ and above look for it; parameters live in debug/, the lowest layer that has any. */
#pragma once
#include <debug/param.h>
