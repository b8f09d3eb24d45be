/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARD_ADAPTER_REDIS_REDIS_H
#define SHARD_ADAPTER_REDIS_REDIS_H

/*
 * The inside of the Redis store. A call of the port becomes one or more commands (port.c, commit.c, load.c); calls wait
 * in one list until the link (link.c) takes them, in order, and stay there until they are answered (calls.c), so that a
 * link that breaks costs nothing but to send them again. All happens in `step`, in the thread that calls it.
 *
 * hiredis formats nothing and holds no socket here, it parses replies (redisReader). Its own connections resolve names
 * while the caller waits, and write without MSG_NOSIGNAL, which would end a program that did not expect SIGPIPE.
 */

#include <pthread.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include <shard/store.h>

#include "adapter/common/check.h"
#include "adapter/common/image.h"
#include "base/bytes.h"
#include "base/map.h"

/* In the order in which meson.build names the files. */
enum shard__redis_script_id {
    SHARD__REDIS_CREATE,
    SHARD__REDIS_LIST,
    SHARD__REDIS_ACQUIRE,
    SHARD__REDIS_LEASE,
    SHARD__REDIS_COMMIT,
    SHARD__REDIS_LOAD,
    SHARD__REDIS_SAMPLES,
    SHARD__REDIS_OUTCOMES,
    SHARD__REDIS_COMPACT,
    SHARD__REDIS_SCRIPT_COUNT
};

struct shard__redis_script {
    const char *sha1; /* 40 digits */
    const char *text;
};

extern const struct shard__redis_script shard__redis_scripts[];

struct shard__redis_store;
struct shard__redis_call;

/*
 * Takes the reply to a call's command. It either ends the call with shard__redis_end(), or builds the next command and
 * gives it to shard__redis_again(). The reply is freed afterwards.
 */
typedef void (*shard__redis_take)(struct shard__redis_store *store, struct shard__redis_call *call, redisReply *reply);

struct shard__redis_command {
    struct shard__bytes body; /* the arguments, as the protocol writes them */
    int32_t argc;
    int32_t script; /* enum shard__redis_script_id; -1: none */
};

enum shard__redis_call_state {
    SHARD__REDIS_WAITING, /* to be sent at retry_ns */
    SHARD__REDIS_SENT,
    SHARD__REDIS_ENDED /* answered, or to be answered as soon as there is memory */
};

struct shard__redis_load; /* of load.c */

/* A call on its way. */
struct shard__redis_call {
    struct shard__redis_call *previous, *next;
    shard_sink *sink; /* NULL: one of the store's own, which `done` tells the end of */
    shard_token token;
    int *done;
    char *run;
    struct shard__redis_command command;
    shard__redis_take take;
    enum shard__redis_call_state state;
    int is_write; /* WAIT and WAITAOF come behind it */
    int is_acquire;
    int32_t expected;    /* replies that are still to come before the call can end */
    int64_t deadline_ns; /* by when it is answered in any case */
    int64_t retry_ns;
    int32_t retries;

    int64_t epoch; /* that it was called with, then that of the answer */
    int status;
    int has_status;
    char message[256];
    struct shard__image *image;
    struct shard__redis_load *load;
};

enum shard__redis_link_state {
    SHARD__REDIS_DOWN, /* there is none; the next try is at link.next_ns */
    SHARD__REDIS_RESOLVING,
    SHARD__REDIS_CONNECTING,
    SHARD__REDIS_SECURING, /* TLS shakes hands */
    SHARD__REDIS_GREETING, /* user, database and what is asked at the start */
    SHARD__REDIS_UP
};

/* What the next reply is for. */
enum shard__redis_expect {
    SHARD__REDIS_EXPECT_AUTH,
    SHARD__REDIS_EXPECT_SENTINEL, /* the address of the master */
    SHARD__REDIS_EXPECT_ROLE,
    SHARD__REDIS_EXPECT_SELECT,
    SHARD__REDIS_EXPECT_CONFIG,  /* warnings only: may fail */
    SHARD__REDIS_EXPECT_NOTHING, /* of SCRIPT LOAD and ASKING: what comes of them, the command behind them tells */
    SHARD__REDIS_EXPECT_CALL,
    SHARD__REDIS_EXPECT_WAIT,
    SHARD__REDIS_EXPECT_WAITAOF
};

struct shard__redis_expected {
    enum shard__redis_expect kind;
    struct shard__redis_call *call; /* NULL: nobody waits for it any more */
};

struct shard__redis_link {
    enum shard__redis_link_state state;
    int fd;
    int wants_write;
    redisReader *reader;
    size_t unparsed_bytes; /* of a reply that is not whole */
    struct shard__bytes out;
    size_t out_at;
    struct shard__redis_expected *ring; /* what is expected, in order */
    size_t ring_capacity, ring_head, ring_count;
    unsigned char loaded[SHARD__REDIS_SCRIPT_COUNT]; /* scripts that this connection has sent */
    int64_t deadline_ns;                             /* of connecting and greeting */
    int64_t silent_since_ns;                         /* since when a reply is waited for */
    int64_t next_ns;
    int32_t failures; /* in a row */
    int was_up;
    int is_to_sentinel;
    int is_asking;     /* the node takes this run over: each command is let in by ASKING */
    char trouble[256]; /* why it is down */
};

/* Who we are to a server, or to sentinels. */
struct shard__redis_login {
    char *user, *password; /* NULL: the default user; nobody */
};

/* A name that is looked up in a thread of the offload hook; freed by whoever is last. */
struct shard__redis_lookup {
    const shard_context *context;
    pthread_mutex_t mutex;
    char *host;
    int32_t port;
    int wake_fd; /* -1: nobody waits any more */
    int is_done;
    int error; /* of getaddrinfo() */
    struct shard__redis_address {
        unsigned char bytes[128]; /* a struct sockaddr of any kind */
        uint32_t size;
    } address;
};

struct shard__redis_held {
    char *run;
    int64_t epoch;
};

/* What lies between the socket and the protocol: TLS. Troubles are put into link.trouble. */
struct shard__redis_transport {
    int (*begin)(struct shard__redis_store *store); /* 0 or SHARD_ENOMEM */
    /* 1: done; 0: it waits, to write or to read; SHARD_EIO */
    int (*shake)(struct shard__redis_store *store, int *ret_wants_write);
    /* As send() and recv(): -1 with EAGAIN in errno, or another error. */
    ssize_t (*put)(struct shard__redis_store *store, const void *bytes, size_t size);
    ssize_t (*take)(struct shard__redis_store *store, void *ret_bytes, size_t size);
    void (*end)(struct shard__redis_store *store); /* of a connection */
    void (*close)(struct shard__redis_store *store);
};

struct shard__redis_tls; /* of tls.c */

struct shard__redis_store {
    shard_context *context;
    char *name; /* for messages: redis://host:port/0 */
    char *host, *unix_socket, *prefix;
    struct shard__redis_login login, sentinel_login;
    int32_t port, db, wait_replicas, wait_ms, waitaof;
    char *sentinels; /* "host:port,host:port"; NULL: the server is where it is */
    char *master;    /* its name among the sentinels */
    int32_t sentinel_count, sentinel_at;
    int has_master; /* host and port are the master's */
    int64_t timeout_ns;
    struct shard__keep keep;
    char handle[33]; /* random: tells this handle from every other */
    uint64_t calls_made;
    uint64_t random;
    int has_warned;

    int epoll_fd, timer_fd, wake_fd;
    int64_t armed_ns;
    struct shard__redis_link link;
    const struct shard__redis_transport *transport; /* NULL: the socket itself */
    struct shard__redis_tls *tls;
    struct shard__redis_lookup *lookup;
    struct shard__redis_call *first, *last;
    int32_t sent_count;

    struct shard__redis_held *held;
    size_t held_count, held_capacity;
};

/* ---- command.c: commands as the protocol writes them ---- */
void shard__redis_command_init(struct shard__redis_command *command, const shard_context *context);
void shard__redis_command_clear(struct shard__redis_command *command);
void shard__redis_arg(struct shard__redis_command *command, const void *bytes, size_t size);
void shard__redis_text(struct shard__redis_command *command, const char *text);
void shard__redis_number(struct shard__redis_command *command, int64_t number);
/* A key of a run: "{prefix:run}:suffix". */
void shard__redis_key(const struct shard__redis_store *store, struct shard__redis_command *command, const char *run,
                      const char *suffix);
/* Begins EVALSHA of a script with all keys of the run. */
void shard__redis_script(const struct shard__redis_store *store, struct shard__redis_command *command,
                         enum shard__redis_script_id script, const char *run);

/* ---- calls.c ---- */
/* A call, in no list yet; its command is empty. NULL: SHARD_ENOMEM. */
struct shard__redis_call *shard__redis_call_new(struct shard__redis_store *store, shard_sink *sink, shard_token token,
                                                const char *run, shard__redis_take take);
void shard__redis_call_free(struct shard__redis_store *store, struct shard__redis_call *call);
/* Puts a call whose command is built at the end of the list; frees it when memory was missing. 0 or SHARD_ENOMEM. */
int shard__redis_submit(struct shard__redis_store *store, struct shard__redis_call *call);
/* Sends the next command of a call as soon as possible. */
void shard__redis_again(struct shard__redis_store *store, struct shard__redis_call *call);
/* Sends it once more, later each time: it was refused for now. */
void shard__redis_later(struct shard__redis_store *store, struct shard__redis_call *call, const char *why);
/* Ends a call with the status; below 0 with the thread's last message. */
void shard__redis_end(struct shard__redis_store *store, struct shard__redis_call *call, int status);
/* Ends every call that waits, with the thread's last message. */
void shard__redis_end_all(struct shard__redis_store *store, int status);
/* A reply came for a call: to its command, or to the WAIT behind it. */
void shard__redis_replied(struct shard__redis_store *store, const struct shard__redis_expected *expected,
                          redisReply *reply);
/* The link is gone: what was sent waits again. */
void shard__redis_unsend_all(struct shard__redis_store *store);
/* Answers, expires and sends what is due. 0 or SHARD_ENOMEM. */
int shard__redis_calls_step(struct shard__redis_store *store, int64_t now_ns);
/* When time alone brings something. */
int64_t shard__redis_calls_next_ns(const struct shard__redis_store *store);

/* ---- reply.c: what replies say ---- */
/* What an error of the server means: a code, with the message set. 1 in *ret_passes: it may pass by itself. */
int shard__redis_fail_reply(const struct shard__redis_store *store, const redisReply *reply, int *ret_passes);
/* The thread's last message without the store's name in front, to be put behind it again. */
const char *shard__redis_trouble(const struct shard__redis_store *store);
/* The answer of a script about `call`: 0 for {'ok', ...}, else a code with the message set. */
int shard__redis_script_status(struct shard__redis_store *store, struct shard__redis_call *call,
                               const redisReply *reply);
/* A whole number that is written as text. 0 or SHARD_ECORRUPT. */
int shard__redis_reply_number(const struct shard__redis_store *store, const redisReply *reply, const char *what,
                              int64_t low, int64_t high, int64_t *ret_number);

/* ---- link.c, greet.c, lookup.c ---- */
/* Connects, receives, hands replies out. 0 or SHARD_ENOMEM. */
int shard__redis_link_step(struct shard__redis_store *store, int64_t now_ns);
/* Sends what is in the buffer, as much as the socket takes. */
void shard__redis_flush(struct shard__redis_store *store);
void shard__redis_link_break(struct shard__redis_store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Connects anew at once, to where `host` and `port` are now: what was sent waits again. */
void shard__redis_link_go(struct shard__redis_store *store, const char *host, size_t size, int32_t port);
int64_t shard__redis_link_next_ns(const struct shard__redis_store *store);
/* Notes what the next reply is for. 0 or SHARD_ENOMEM. */
int shard__redis_expect(struct shard__redis_store *store, enum shard__redis_expect kind,
                        struct shard__redis_call *call);
/* A command of words, the last of which is NULL, and what its reply is for. 0 or SHARD_ENOMEM. */
int shard__redis_put_words(struct shard__redis_store *store, enum shard__redis_expect kind,
                           struct shard__redis_call *call, const char *const *words);
/* Appends a command to what is to be sent. */
void shard__redis_put(struct shard__redis_store *store, const struct shard__redis_command *command);
/* Takes the sentinel whose turn it is for the server. 0 or a negative code. */
int shard__redis_turn_to_sentinel(struct shard__redis_store *store);
/* The connection is there: says who we are. 0 or SHARD_ENOMEM. */
int shard__redis_greet(struct shard__redis_store *store);
/* A reply to the greeting. */
void shard__redis_greeted(struct shard__redis_store *store, const struct shard__redis_expected *expected,
                          const redisReply *reply);
int shard__redis_lookup_start(struct shard__redis_store *store);
/* 1 with an address, 0 when it is not known yet, or a negative code. */
int shard__redis_lookup_take(struct shard__redis_store *store, struct shard__redis_address *ret_address);
void shard__redis_lookup_forget(struct shard__redis_store *store);
/* The address of a numeric host, or of the unix socket; 0 when it is a name. */
int shard__redis_numeric(const struct shard__redis_store *store, struct shard__redis_address *ret_address);

/* ---- tls.c ---- */
/* Takes the transport for the store. 0 or a negative code; shard__redis_free() frees what there is by then. */
int shard__redis_tls_open(struct shard__redis_store *store, const struct shard_redis_store_config *config);

/* ---- pack.c: rows and records as bytes ---- */
enum { SHARD__REDIS_HEAD = 25, SHARD__REDIS_ROW = 79, SHARD__REDIS_CHANGE_MAX = SHARD__REDIS_ROW + 1 };
void shard__redis_pack_row(const struct shard_task_row *row, unsigned char ret_bytes[SHARD__REDIS_ROW]);
/* What becomes of a row (see commit.lua): `row` is what the records add up to, from a row of zeroes. The size. */
size_t shard__redis_pack_change(const struct shard_task_row *row, unsigned char ret_bytes[SHARD__REDIS_CHANGE_MAX]);
/* 0 or SHARD_ECORRUPT. */
int shard__redis_unpack_row(const char *bytes, size_t size, struct shard_task_row *ret_row);
void shard__redis_pack_record(struct shard__bytes *bytes, const struct shard_record *record);
/* Records begin with a mark of their run, so that those of another are told. */
void shard__redis_pack_begin(struct shard__bytes *bytes, const char *run);
struct shard__redis_unpack {
    const char *at, *end;
};
/* 0 or SHARD_ECORRUPT, SHARD_EVERSION. */
int shard__redis_unpack_begin(struct shard__redis_unpack *unpack, const char *run, const char *bytes, size_t size);
/* 1 with a record, whose detail points into the bytes; 0 at the end; SHARD_ECORRUPT. */
int shard__redis_unpack_record(struct shard__redis_unpack *unpack, struct shard_record *ret_record);

/* What messages about damaged series end with. */
#define SHARD__REDIS_SERIES_ADVICE "runs do not need it: DEL its key to go on without"
/* Outcomes: whole for each_outcome, short for histories. Little-endian numbers, and text with its length in front. */
void shard__redis_pack_outcome(struct shard__bytes *bytes, const struct shard_outcome_row *row);
void shard__redis_pack_short(struct shard__bytes *bytes, const struct shard_outcome_row *row);
/* Texts and values are put into `room`, which the row points to. 0, SHARD_ECORRUPT, SHARD_EVERSION or SHARD_ENOMEM. */
int shard__redis_unpack_outcome(const char *bytes, size_t size, struct shard__bytes *room,
                                struct shard_outcome_row *ret_row);
int shard__redis_unpack_short(const char *bytes, size_t size, struct shard_outcome_row *ret_row);
enum { SHARD__REDIS_SAMPLE = 80 };
void shard__redis_pack_sample(const struct shard_sample *sample, unsigned char ret_bytes[SHARD__REDIS_SAMPLE]);
int shard__redis_unpack_sample(const char *bytes, size_t size, int64_t time_ns, struct shard_sample *ret_sample);

/* ---- commit.c, load.c, runs.c, samples.c, url.c ---- */
int shard__redis_build_commit(struct shard__redis_store *store, struct shard__redis_call *call,
                              const struct shard_commit *commit);
int shard__redis_load(void *self, shard_sink *sink, shard_token token, const char *run, enum shard_load_flags flags);
void shard__redis_load_free(struct shard__redis_store *store, struct shard__redis_call *call);
int shard__redis_create(void *self, shard_sink *sink, shard_token token, const struct shard_store_create *create);
int shard__redis_list(void *self, int (*each)(void *each_self, const struct shard_run_summary *run), void *each_self);
int shard__redis_put_samples(void *self, shard_sink *sink, shard_token token, const struct shard_host_sample *samples,
                             int32_t count);
int shard__redis_put_outcomes(void *self, shard_sink *sink, shard_token token, const struct shard_outcome_row *outcomes,
                              int32_t count);
int shard__redis_each_outcome(void *self, int (*each)(void *each_self, const struct shard_outcome_row *outcome),
                              void *each_self);
int shard__redis_series(void *self, const struct shard_series_query *query,
                        int (*each)(void *each_self, const struct shard_series_bucket *bucket), void *each_self);
int shard__redis_compact(void *self, const struct shard_compact *what, struct shard_compacted *ret_done);
/* Sends a call of the store's own and waits for the end of it: 0 or its code. `done` is the call's until then. */
int shard__redis_await(struct shard__redis_store *store, struct shard__redis_call *call, int *done);
/* A key of the time series: "{prefix:}:samples<suffix><name>". */
void shard__redis_series_key(const struct shard__redis_store *store, struct shard__redis_command *command,
                             const char *suffix, const char *name);
/* Begins a script of the time series. */
void shard__redis_series_script(const struct shard__redis_store *store, struct shard__redis_command *command,
                                enum shard__redis_script_id script);
/* Steps until *done is not 0 or the time is over. */
void shard__redis_pump(struct shard__redis_store *store, const int *done, int64_t for_ns);
void shard__redis_free(struct shard__redis_store *store);
int shard__redis_step(void *self);
/* Waits until the descriptor is readable, at most so long. */
void shard__redis_wait(struct shard__redis_store *store, int timeout_ms);

/* What a URL says; the strings are the caller's to free with shard__strfree(). */
struct shard__redis_url {
    char *host, *unix_socket, *user, *sentinels, *master;
    int32_t port, db, sentinel_count;
    int has_db, has_tls;
};
/* HOST[:PORT] of so many bytes; [HOST] when it has colons. 0, or a negative code. */
int shard__redis_parse_host(const char *text, size_t size, int32_t fallback, const char **ret_host, size_t *ret_size,
                            int32_t *ret_port);
int shard__redis_parse_url(const shard_context *context, const char *url, struct shard__redis_url *ret_url);
void shard__redis_url_clear(const shard_context *context, struct shard__redis_url *url);

extern const struct shard_store shard__redis_port;

#endif
