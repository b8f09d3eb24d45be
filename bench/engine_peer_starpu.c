/* SPDX-License-Identifier: Apache-2.0 */
/* The peer in C: StarPU with empty codelets, one CPU worker, dependencies by tags. */

#include "engine_peer.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>

#include <starpu.h>

#include "measure.h"

static void nothing(void *buffers[], void *arg)
{
    (void)buffers;
    (void)arg;
}

static struct starpu_codelet codelet = {.cpu_funcs = {nothing}, .nbuffers = 0};

const char *bench_peer_name(void)
{
    return "StarPU 1.3, one CPU worker, eager scheduler; its figure has declaring the DAG in it";
}

static void declare(int32_t i)
{
    starpu_tag_t before[3];
    unsigned count = 0;
    for (int k = 0; k < 3; k++) {
        int32_t from = bench_predecessor(i, k);
        if (from >= 0)
            before[count++] = (starpu_tag_t)from + 1;
    }
    if (count > 0)
        starpu_tag_declare_deps_array((starpu_tag_t)i + 1, count, before);
    struct starpu_task *task = starpu_task_create();
    task->cl = &codelet;
    task->use_tag = 1;
    task->tag_id = (starpu_tag_t)i + 1;
    if (starpu_task_submit(task) != 0)
        exit(1);
}

double bench_peer_ns(int32_t tasks, double *ret_bytes)
{
    setenv("STARPU_SILENT", "1", 1);
    struct starpu_conf conf;
    starpu_conf_init(&conf);
    conf.ncpus = 1;
    conf.ncuda = 0;
    conf.nopencl = 0;
    conf.sched_policy_name = "eager";
    if (starpu_init(&conf) != 0)
        exit(1);
    struct mallinfo2 before = mallinfo2();
    double at = bench_cpu_ns();
    for (int32_t i = 0; i < tasks; i++)
        declare(i);
    struct mallinfo2 after = mallinfo2();
    starpu_task_wait_for_all();
    double ran = bench_cpu_ns();
    *ret_bytes = (double)(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / tasks;
    starpu_shutdown();
    return (ran - at) / tasks;
}
