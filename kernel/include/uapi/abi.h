/* What each port's ABI has of its own: machine names, the order of arguments, structures of files. */
#pragma once
#include <asm/abi.h>
