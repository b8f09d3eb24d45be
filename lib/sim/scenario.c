/* SPDX-License-Identifier: Apache-2.0 */
/* Reading scenarios: what the keys mean, their defaults and limits, and which of them contradict each other. */

#include "sim/scenario.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "workflow/json.h"

/* A key of an object, and where its number goes. */
struct field {
    const char *name;
    char type; /* d: double, i: whole number, s: size in bytes */
    size_t offset;
    double min, max;
};

#define FIELD(name, type, member, min, max)                           \
    {                                                                 \
        name, type, offsetof(struct shard_scenario, member), min, max \
    }
#define OF_SICKNESS(name, member, min, max)                           \
    {                                                                 \
        name, 'd', offsetof(struct shard__sickness, member), min, max \
    }

static const struct field host_fields[] = {FIELD("count", 'i', host_count, 1, 1000000),
                                           FIELD("slots", 'i', slots, 1, 1024),
                                           FIELD("memory", 's', memory_bytes, 1, 1e18),
                                           FIELD("speed_min", 'd', speed_min, 0.01, 100),
                                           FIELD("speed_max", 'd', speed_max, 0.01, 100),
                                           FIELD("rack", 'i', rack_hosts, 1, 1000000),
                                           FIELD("bytes_per_second", 'd', bytes_per_second, 1, 1e15),
                                           FIELD("latency_seconds", 'd', latency_seconds, 0, 3600),
                                           {0}};
static const struct field task_fields[] = {FIELD("noise", 'd', noise, 0, 2),
                                           FIELD("p_fail", 'd', p_fail, 0, 0.9),
                                           FIELD("overhead_seconds", 'd', overhead_seconds, 0, 3600),
                                           FIELD("launch_seconds", 'd', launch_seconds, 0, 3600),
                                           FIELD("memory_median", 's', memory_median_bytes, 1, 1e15),
                                           FIELD("memory_spread", 'd', memory_spread, 0, 3),
                                           FIELD("request", 'd', request, 0, 100),
                                           FIELD("request_spread", 'd', request_spread, 0, 2),
                                           FIELD("kind_spread", 'd', kind_spread, 0, 2),
                                           FIELD("divisible", 'd', divisible, 0, 1),
                                           FIELD("unit_seconds", 'd', unit_seconds, 0.001, 1e6),
                                           {0}};
static const struct field preemption_fields[] = {
    FIELD("mean_seconds", 'd', preempt_seconds, 1, 1e9), FIELD("away_seconds", 'd', away_seconds, 1, 1e9), {0}};
static const struct field outage_fields[] = {
    FIELD("mean_seconds", 'd', outage_seconds, 1, 1e9), FIELD("down_seconds", 'd', down_seconds, 1, 1e9), {0}};
static const struct field load_fields[] = {
    FIELD("mean", 'd', load_mean, 0, 0.9), FIELD("change_seconds", 'd', load_change_seconds, 1, 1e9), {0}};
static const struct field sample_fields[] = {FIELD("seconds", 'd', sample_seconds, 0.1, 1e6),
                                             FIELD("noise", 'd', sample_noise, 0, 1),
                                             FIELD("signal", 'd', sample_signal, 0, 1),
                                             FIELD("decoys", 'd', decoys, 0, 1),
                                             FIELD("watched_seconds", 'd', watched_seconds, 0, 86400),
                                             {0}};
static const struct field sickness_fields[] = {OF_SICKNESS("share", share, 0, 1),
                                               OF_SICKNESS("p_fail", p_fail, 0, 0.99),
                                               OF_SICKNESS("by_size", by_size, 0, 1),
                                               OF_SICKNESS("fail_from", fail_from, 0, 1),
                                               OF_SICKNESS("fail_to", fail_to, 0, 1),
                                               OF_SICKNESS("speed", speed, 0.01, 1),
                                               OF_SICKNESS("sick_seconds", sick_seconds, 1, 1e9),
                                               OF_SICKNESS("well_seconds", well_seconds, 0, 1e9),
                                               {0}};

static const char *const sickness_names[] = {"failing", "slow", "memory", "disk", "flapping", NULL};
static const char *const volume_names[] = {"shared", "rack", "own", NULL};

static int read_number(struct shard__json *json, uint32_t node, const struct field *field, char *base)
{
    double number = 0;
    int64_t whole = 0;
    int status = field->type == 's' ? shard__json_read_size(json, node, &whole)
                 : field->type == 'i'
                     ? shard__json_read_int(json, node, (int64_t)field->min, (int64_t)field->max, &whole)
                     : shard__json_read_double(json, node, &number);
    if (status < 0)
        return status;
    if (field->type == 'd' && !(number >= field->min && number <= field->max))
        return shard__json_fail(json, node, SHARD_EINVAL, "%s is %g, expected %g to %g", field->name, number,
                                field->min, field->max);
    if (field->type == 's' && whole < 1)
        return shard__json_fail(json, node, SHARD_EINVAL, "%s is %lld bytes, expected 1 or more", field->name,
                                (long long)whole);
    if (field->type == 'd')
        memcpy(base + field->offset, &number, sizeof(number));
    else
        memcpy(base + field->offset, &whole, sizeof(whole));
    return 0;
}

static int read_name(struct shard__json *json, uint32_t node, const char *const *names, int64_t *ret_value)
{
    const char *text = NULL;
    int status = shard__json_read_string(json, node, &text);
    if (status < 0)
        return status;
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], text) == 0) {
            *ret_value = i;
            return 0;
        }
    return shard__json_fail(json, node, SHARD_EINVAL, "'%s' is not known here, expected one of %s, %s, %s ...", text,
                            names[0], names[1], names[2]);
}

/* Reads an object whose keys are in the table, and `word` besides, whose value is one of `names`. */
static int read_object(struct shard__json *json, uint32_t object, const struct field *fields, char *base,
                       const char *word, const char *const *names, int64_t *ret_word)
{
    int status = shard__json_expect(json, object, SHARD__JSON_OBJECT);
    uint32_t key = object + 1;
    for (uint32_t i = 0; status == 0 && i < json->nodes[object].count; i++) {
        uint32_t value = json->nodes[key].next;
        const char *name = shard__json_string(json, key);
        const struct field *field = fields;
        while (field->name != NULL && strcmp(field->name, name) != 0)
            field++;
        if (field->name != NULL)
            status = read_number(json, value, field, base);
        else if (word != NULL && strcmp(word, name) == 0)
            status = read_name(json, value, names, ret_word);
        else
            status = shard__json_fail(json, key, SHARD_EINVAL, "key '%s' is not known here", name);
        key = json->nodes[value].next;
    }
    return status;
}

static void set_defaults(struct shard_scenario *scenario)
{
    *scenario = (struct shard_scenario){
        .context = scenario->context,
        .host_count = 100,
        .slots = 4,
        .memory_bytes = INT64_C(32) << 30,
        .speed_min = 0.8,
        .speed_max = 1.25,
        .rack_hosts = 20,
        .bytes_per_second = 1e8,
        .latency_seconds = 0.05,
        .noise = 0.15,
        .overhead_seconds = 0.5,
        .memory_median_bytes = INT64_C(1) << 30,
        .memory_spread = 0.6,
        .request = 1.1,
        .kind_spread = 0.3,
        .divisible = 0.6,
        .unit_seconds = 5,
        .away_seconds = 300,
        .down_seconds = 600,
        .load_change_seconds = 600,
        .sample_seconds = 5,
        .sample_noise = 0.05,
        .sample_signal = 0.6,
        .decoys = 0.1,
        .watched_seconds = 60,
    };
}

/* What a sickness is like when its file does not say. */
static struct shard__sickness default_sickness(int64_t kind)
{
    struct shard__sickness sickness = {.kind = kind,
                                       .share = 0.1,
                                       .by_size = 0.3,
                                       .p_fail = 0.8,
                                       .fail_from = 0.3,
                                       .fail_to = 0.9,
                                       .speed = 1,
                                       .sick_seconds = 600};
    if (kind == SHARD__SICK_FAILING) {
        sickness.fail_from = 0.01;
        sickness.fail_to = 0.05;
    } else if (kind == SHARD__SICK_SLOW) {
        sickness.p_fail = 0;
        sickness.speed = 0.3;
    } else if (kind == SHARD__SICK_DISK) {
        sickness.fail_from = 0.05;
    } else if (kind == SHARD__SICK_FLAPPING) {
        sickness.p_fail = 0;
        sickness.sick_seconds = 60;
        sickness.well_seconds = 600;
    }
    return sickness;
}

static int read_sickness(struct shard__json *json, uint32_t node, struct shard__sickness *sickness)
{
    int status = shard__json_expect(json, node, SHARD__JSON_OBJECT);
    if (status < 0)
        return status;
    uint32_t kind_node = shard__json_member(json, node, "kind");
    int64_t kind = 0;
    if (kind_node == 0)
        return shard__json_fail(json, node, SHARD_EINVAL, "kind is missing, expected failing, slow, memory ...");
    status = read_name(json, kind_node, sickness_names, &kind);
    if (status < 0)
        return status;
    *sickness = default_sickness(kind);
    status = read_object(json, node, sickness_fields, (char *)sickness, "kind", sickness_names, &kind);
    if (status < 0)
        return status;
    if (sickness->fail_from > sickness->fail_to)
        return shard__json_fail(json, node, SHARD_EINVAL, "fail_from %g is after fail_to %g", sickness->fail_from,
                                sickness->fail_to);
    if (kind == SHARD__SICK_FLAPPING && sickness->well_seconds <= 0)
        return shard__json_fail(json, node, SHARD_EINVAL, "a flapping host has well_seconds above 0");
    if (kind == SHARD__SICK_SLOW && sickness->speed >= 1)
        return shard__json_fail(json, node, SHARD_EINVAL, "a slow host has a speed below 1");
    return 0;
}

static int read_sicknesses(struct shard__json *json, uint32_t array, struct shard_scenario *scenario)
{
    int status = shard__json_expect(json, array, SHARD__JSON_ARRAY);
    if (status < 0)
        return status;
    if (json->nodes[array].count > SHARD__MOST_SICKNESSES)
        return shard__json_fail(json, array, SHARD_ELIMIT, "more than %d sicknesses", SHARD__MOST_SICKNESSES);
    double sum = 0;
    uint32_t node = array + 1;
    for (uint32_t i = 0; i < json->nodes[array].count; i++, node = json->nodes[node].next) {
        struct shard__sickness *sickness = &scenario->sicknesses[scenario->sickness_count];
        status = read_sickness(json, node, sickness);
        if (status < 0)
            return status;
        sum += sickness->share;
        if (sum > 1 + 1e-9)
            return shard__json_fail(json, node, SHARD_EINVAL,
                                    "the shares of the sicknesses add up to %g, expected at most 1: a host has one",
                                    sum);
        scenario->sickness_count++;
    }
    return 0;
}

static int read_section(struct shard__json *json, uint32_t key, uint32_t value, struct shard_scenario *scenario)
{
    const char *name = shard__json_string(json, key);
    char *base = (char *)scenario;
    const char *text = NULL;
    if (strcmp(name, "name") == 0 || strcmp(name, "description") == 0) {
        int status = shard__json_read_string(json, value, &text);
        if (status < 0 || name[0] == 'd')
            return status;
        scenario->name = shard__strdup(scenario->context, text);
        return scenario->name == NULL ? SHARD_ENOMEM : 0;
    }
    if (strcmp(name, "hosts") == 0)
        return read_object(json, value, host_fields, base, "volumes", volume_names, &scenario->volumes);
    if (strcmp(name, "tasks") == 0)
        return read_object(json, value, task_fields, base, NULL, NULL, NULL);
    if (strcmp(name, "preemption") == 0)
        return read_object(json, value, preemption_fields, base, NULL, NULL, NULL);
    if (strcmp(name, "rack_outage") == 0)
        return read_object(json, value, outage_fields, base, NULL, NULL, NULL);
    if (strcmp(name, "load") == 0)
        return read_object(json, value, load_fields, base, NULL, NULL, NULL);
    if (strcmp(name, "samples") == 0)
        return read_object(json, value, sample_fields, base, NULL, NULL, NULL);
    if (strcmp(name, "sickness") == 0)
        return read_sicknesses(json, value, scenario);
    return shard__json_fail(json, key, SHARD_EINVAL, "key '%s' is not known here", name);
}

static int check(struct shard__json *json, const struct shard_scenario *scenario)
{
    uint32_t hosts = shard__json_member(json, 0, "hosts"), preemption = shard__json_member(json, 0, "preemption");
    uint32_t outage = shard__json_member(json, 0, "rack_outage"), load = shard__json_member(json, 0, "load");
    if (scenario->name == NULL)
        return shard__json_fail(json, 0, SHARD_EINVAL, "name is missing");
    if (scenario->speed_min > scenario->speed_max)
        return shard__json_fail(json, hosts, SHARD_EINVAL, "speed_min %g is above speed_max %g", scenario->speed_min,
                                scenario->speed_max);
    if (preemption != 0 && scenario->preempt_seconds == 0)
        return shard__json_fail(json, preemption, SHARD_EINVAL, "mean_seconds is missing");
    if (outage != 0 && scenario->outage_seconds == 0)
        return shard__json_fail(json, outage, SHARD_EINVAL, "mean_seconds is missing");
    if (load != 0 && scenario->load_mean == 0)
        return shard__json_fail(json, load, SHARD_EINVAL, "mean is missing, or 0");
    return 0;
}

int shard_scenario_parse(shard_context *context, const char *text, size_t text_bytes, const char *source,
                         shard_scenario **ret_scenario)
{
    shard__clear_error();
    struct shard_scenario *scenario = shard__zalloc(context, sizeof(*scenario));
    if (scenario == NULL)
        return SHARD_ENOMEM;
    scenario->context = context;
    set_defaults(scenario);
    struct shard__json json;
    struct shard_parse_report report = {.struct_size = sizeof(report)};
    int status = shard__json_parse(&json, context, text, text_bytes, source, &report);
    if (status == 0)
        status = shard__json_expect(&json, 0, SHARD__JSON_OBJECT);
    uint32_t key = 1;
    for (uint32_t i = 0; status == 0 && i < json.nodes[0].count; i++) {
        uint32_t value = json.nodes[key].next;
        status = read_section(&json, key, value, scenario);
        key = json.nodes[value].next;
    }
    if (status == 0)
        status = check(&json, scenario);
    shard__json_free(&json);
    if (status < 0)
        shard_scenario_free(scenario);
    else
        *ret_scenario = scenario;
    return status;
}

void shard_scenario_free(shard_scenario *scenario)
{
    if (scenario == NULL)
        return;
    shard__strfree(scenario->context, scenario->name);
    shard__release(scenario->context, scenario, sizeof(*scenario));
}
