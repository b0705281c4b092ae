// The one function of libFuzzer that is called (fuzzer/FuzzerInterface.h): its driver, for programs with a main of
// their own.
#ifndef PORTWHY_LIBFUZZER_SHIM_H
#define PORTWHY_LIBFUZZER_SHIM_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

#endif
