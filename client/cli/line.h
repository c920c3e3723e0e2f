#ifndef LK_CLI_LINE_H
#define LK_CLI_LINE_H

/* The command line, and the environment under it, as one struct. */

#include <stdbool.h>

#include <latchkey/latchkey.h>
#include <latchkey/limit.h>

/* As many attributes as a request takes, with TOKEN in front. */
#define WORDS_MAX      80
#define ATTRIBUTES_MAX 64
#define TOKENS_MAX     64
#define AMR_MAX	       8
#define GROUPS_MAX     4
#define COUNTERS_MAX   16
/* Room for the words and arguments of a verb. */
#define USAGE_BYTES 64

/* Exit statuses; --help explains them. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_INVALID = 1,
	EXIT_UNSERVED = 1, /* redis: some slots have no serving primary */
	EXIT_NO = 1,	   /* refused by a limit, not held, not there */
	EXIT_USAGE = 2,
	EXIT_UNKNOWN = 3,
	EXIT_REFUSED = 4,
};

struct line;

/* As many as a client may have in flight, in all. */
#define BENCH_CALLERS_MAX 65536
/* Each is a client, whose timer wakes a hundred times a second: with more than that the timers alone keep a processor busy. */
#define BENCH_CONNECTIONS_MAX 256
/* With a connection's part in the pool of sessions, 200 MB. */
#define BENCH_SESSIONS_MAX 1000000
#define BENCH_RATE_MAX	   10000000
#define BENCH_SECONDS_MAX  86400
/* An attribute's value. */
#define BENCH_VALUE_BYTES_MAX 16384

/* What "bench" is asked for. */
struct bench_line {
	uint32_t callers; /* in flight at once; 0: not given */
	uint32_t rate;	  /* calls a second; 0: a closed loop */
	bool has_arrivals;
	bool is_even; /* arrivals; else Poisson's */
	const char *mix;
	uint32_t connections;
	uint32_t seconds;
	uint32_t warmup_s;
	uint32_t sessions;
	uint32_t value_bytes;
	uint32_t user_count; /* 0: a session each */
	bool progress;
};

#define BENCH_LINE_DEFAULT                                                                                             \
	{                                                                                                              \
		.mix = "get", .connections = 1, .seconds = 10, .warmup_s = 1, .sessions = 1000, .value_bytes = 256     \
	}

/* One row of the table of verbs. */
struct verb {
	const char *words; /* "session create" */
	const char *args;  /* "USER" */
	const char *help;
	unsigned args_min;
	unsigned args_max;
	int (*run)(const struct line *line, lk_client *client);
};

struct line {
	const struct verb *verb;
	const char *group;  /* with help: the first word of several verbs, and no other word; NULL: none */
	unsigned arg_count; /* behind the verb's words */
	char *args[WORDS_MAX];
	bool help;
	bool version;
	/* Of every verb. */
	const char *servers;
	const char *realm;
	const char *credential_file;
	const char *ca_file;
	const char *cert_file;
	const char *key_file;
	const char *server_name;
	uint32_t timeout_ms;
	bool json;
	/* Of some. */
	const char *session_class;
	unsigned attribute_count;
	const char *attributes[ATTRIBUTES_MAX]; /* K=V */
	unsigned remove_count;
	const char *remove[ATTRIBUTES_MAX];
	uint32_t idle_s;
	uint32_t max_s;
	const char *user_agent;
	const char *ip;
	const char *label;
	bool peek;
	uint64_t expected_version;
	const char *except;
	enum lk_reason reason;
	bool anonymous;
	const char *promote;
	uint32_t aal;
	unsigned amr_count;
	const char *amr[AMR_MAX];
	uint32_t within_s;
	bool privileged;
	bool has_grace;
	uint32_t grace_s;
	uint64_t before_ms;
	unsigned token_count;
	const char *tokens[TOKENS_MAX];
	const char *cursor;
	uint64_t count; /* 0: without end, or the server's */
	const char *role;
	bool replace;
	unsigned number_count;
	const char *numbers[ATTRIBUTES_MAX]; /* K=N */
	bool expect_none;
	const char *tier;
	const char *consumer;
	uint32_t redeliver_ms;
	uint32_t deliveries_max;
	const char *after;
	uint64_t at_ms;
	uint64_t from_ms;
	uint64_t to_ms;
	bool by_hour;
	unsigned group_count;
	const char *groups[GROUPS_MAX];
	uint32_t wait_ms;
	uint32_t lease_ms;
	bool no_lease;
	bool negative;
	uint32_t ttl_ms;
	enum lk_limit_algorithm algorithm;
	uint32_t limit;
	uint32_t per_ms;
	uint32_t burst;
	uint32_t cost;
	struct bench_line bench;
};

extern const struct verb verbs[];
extern const unsigned verb_count;

/* "session create USER", "info". Returns `to`. */
const char *line_usage(const struct verb *verb, char to[static USAGE_BYTES]);

/* The help of one verb, or of everything. */
void line_print_help(const struct line *line);

#endif
