/* SPDX-License-Identifier: Apache-2.0 */
/* UBJSON models: refused, or fit to be evaluated in every way. */

#include "fuzz_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_model(data, size);
}
