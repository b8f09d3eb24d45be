/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_REDIS_PROXY_H
#define TEST_REDIS_PROXY_H

/*
 * What lies between a store and its Redis server, and fails by lot. It lives in the test's own thread and moves when it
 * is told to: a request is passed on and its reply waited for at once. A seed fixes what becomes of each request, who
 * dies and when. It does not fix how long a store pauses before it connects again, which the store draws from the
 * system so that no two stores come at once, nor the server's clock, by which leases end: the same seed may go another
 * way.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** What becomes of a request. */
#define REDIS_PROXY_FATES(X)                                                          \
    X(PASSED)                                                                         \
    X(DELAYED)      /* the reply comes some turns later, and all behind it */         \
    X(CUT_BEFORE)   /* the connection breaks, the server never hears of it */         \
    X(CUT_AFTER)    /* the server has done it, the reply is lost */                   \
    X(CUT_IN_REPLY) /* the connection breaks in the middle of the reply */            \
    X(DOUBLED)      /* a second connection brings it once more, at once */            \
    X(LATE_COPY)    /* a second connection brings it once more, some turns later */   \
    X(LATE)         /* the connection breaks, and only then the server hears of it */ \
    X(SILENT)       /* it is done, but nothing is heard on this connection any more */

enum redis_proxy_fate {
#define ENUMERATE(name) REDIS_PROXY_##name,
    REDIS_PROXY_FATES(ENUMERATE)
#undef ENUMERATE
        REDIS_PROXY_FATE_COUNT
};

extern const char *const redis_proxy_fate_names[];

struct redis_proxy_bytes {
    char *data;
    size_t size, capacity;
};

/* A reply on its way to a client, or a request on its way to the server. */
struct redis_proxy_letter {
    struct redis_proxy_bytes bytes;
    size_t zeroes; /* that follow */
    size_t at;     /* sent so far */
    int64_t due;
    int cuts; /* the connection breaks behind it */
};

struct redis_proxy_client {
    int fd, server_fd; /* -1: none */
    struct redis_proxy_bytes asked;
    struct redis_proxy_letter *replies;
    int reply_count, reply_capacity;
    int is_silent;
};

enum { REDIS_PROXY_CLIENTS = 16, REDIS_PROXY_MOST_LATE = 64 };

struct redis_proxy {
    const char *server; /* path of its socket */
    char path[160];     /* of the proxy's */
    char url[180];
    int listen_fd, back_fd;
    uint64_t random;
    int64_t turn;
    double trouble; /* share of requests that do not just pass */
    struct redis_proxy_client clients[REDIS_PROXY_CLIENTS];
    struct redis_proxy_letter late[REDIS_PROXY_MOST_LATE];
    int late_count;
    long fates[REDIS_PROXY_FATE_COUNT];
    /* Scripts under which the server knows others: a script with a rule less. 40 digits each. */
    char asked_sha1[8][41], given_sha1[8][41];
    int swap_count;
    /* What is said in the server's stead to requests with a word in them. */
    struct {
        const char *word, *reply;
        size_t size, zeroes;
        int times;
    } says[8];
    int say_count;
    size_t zeroes_sent;
};

/** Listens at `path`. What is not set by the caller before must be zero. */
void redis_proxy_open(struct redis_proxy *proxy, const char *path, const char *server);
void redis_proxy_close(struct redis_proxy *proxy);
/** Another schedule: all connections break, nothing is under way. */
void redis_proxy_begin(struct redis_proxy *proxy, uint64_t seed, double trouble);
/** Moves what there is to move. 1 if anything did. */
int redis_proxy_turn(struct redis_proxy *proxy);
/** Breaks all connections of clients. */
void redis_proxy_cut(struct redis_proxy *proxy);
/** From now on the server runs `text` where a store asks for the script `sha1`. */
void redis_proxy_swap(struct redis_proxy *proxy, const char *sha1, const char *text);
/** Says `reply` instead of the server, so many times, to requests in whose first lines `word` stands. */
void redis_proxy_say(struct redis_proxy *proxy, const char *word, const char *reply, int times);
/** The same once, with so many zeroes behind it, which are made as they are sent. */
void redis_proxy_say_long(struct redis_proxy *proxy, const char *word, const char *reply, size_t zeroes);
/** One command of words, ended by NULL, straight to the server; its reply, until the next call. */
const char *redis_proxy_ask(struct redis_proxy *proxy, const char *const *words);

#endif
