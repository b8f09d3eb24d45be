/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of attempts. The first byte says how large the pieces are: they must make no difference. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <shard/train.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static int read_pieces(shard_context *context, const uint8_t *data, size_t size, size_t piece, shard_table **ret_table)
{
    struct shard_table_config config = {.struct_size = sizeof(config), .max_cells = 64};
    int status = 0;
    check(shard_table_new(context, &config, ret_table) == 0);
    for (size_t at = 0; at < size && status == 0; at += piece)
        status = shard_table_feed(*ret_table, data + at, size - at < piece ? size - at : piece);
    return status < 0 ? status : shard_table_end(*ret_table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    shard_context *context = NULL;
    shard_table *tables[2] = {NULL, NULL};
    struct shard_table_info infos[2] = {{.struct_size = sizeof(infos[0])}, {.struct_size = sizeof(infos[0])}};
    if (size == 0)
        return 0;
    check(shard_context_new(NULL, &context) == 0);
    int whole = read_pieces(context, data + 1, size - 1, size, &tables[0]);
    int pieces = read_pieces(context, data + 1, size - 1, (size_t)data[0] % 16 + 1, &tables[1]);
    check(whole == pieces);
    for (int i = 0; i < 2; i++)
        check(shard_table_describe(tables[i], &infos[i]) == 0);
    if (whole == 0) {
        check(infos[0].rows == infos[1].rows && infos[0].columns == infos[1].columns);
        size_t cells = (size_t)infos[0].rows * (size_t)infos[0].columns;
        check(cells == 0 || memcmp(infos[0].values, infos[1].values, cells * sizeof(float)) == 0);
    }
    shard_table_free(tables[0]);
    shard_table_free(tables[1]);
    shard_context_free(context);
    return 0;
}
