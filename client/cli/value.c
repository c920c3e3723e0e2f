/* The values of options: a table of what kind each is, and where in the line it goes. */

#include "value.h"
#include "usage.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* NIST SP 800-63B. */
#define AAL_MAX 3
/* The wire's own limits. */
#define SPAN_MS_MAX    2592000000
#define TAKEN_MAX      1000000
#define DELIVERIES_MAX 100

enum value_kind {
	VALUE_FLAG,
	VALUE_WORD,	 /* not empty: see check_word */
	VALUE_TEXT,	 /* perhaps empty */
	VALUE_WORDS,	 /* several; `also` is their number, `max` how many there may be */
	VALUE_NUMBER,	 /* 32 bits */
	VALUE_NUMBER_64, /* 64 bits */
	VALUE_SECONDS,	 /* with a fraction, kept as milliseconds */
	VALUE_TIME,
	VALUE_DAY, /* a time, or a day, which is its beginning */
	VALUE_REASON,
	VALUE_ALGORITHM,
	VALUE_ARRIVALS, /* whether they are even; `also` says that it was given */
};

struct value_row {
	enum option_key key;
	enum value_kind kind;
	size_t at;    /* in struct line */
	uint64_t min; /* of seconds, in milliseconds */
	uint64_t max;
	size_t also; /* of a number: a flag that says that it was given; 0: none */
};

#define AT(field) offsetof(struct line, field)

static const struct value_row rows[] = {
    {OPT_SERVER, VALUE_WORD, AT(servers), 0, 0, 0},
    {OPT_REALM, VALUE_WORD, AT(realm), 0, 0, 0},
    {OPT_CREDENTIAL, VALUE_WORD, AT(credential_file), 0, 0, 0},
    {OPT_TIMEOUT, VALUE_SECONDS, AT(timeout_ms), 1, LK_TIMEOUT_MS_MAX, 0},
    {OPT_JSON, VALUE_FLAG, AT(json), 0, 0, 0},
    {OPT_CA, VALUE_WORD, AT(ca_file), 0, 0, 0},
    {OPT_CERT, VALUE_WORD, AT(cert_file), 0, 0, 0},
    {OPT_KEY, VALUE_WORD, AT(key_file), 0, 0, 0},
    {OPT_SERVER_NAME, VALUE_WORD, AT(server_name), 0, 0, 0},
    {OPT_HELP, VALUE_FLAG, AT(help), 0, 0, 0},
    {OPT_VERSION, VALUE_FLAG, AT(version), 0, 0, 0},
    {OPT_CLASS, VALUE_WORD, AT(session_class), 0, 0, 0},
    {OPT_ATTR, VALUE_WORDS, AT(attributes), 0, ATTRIBUTES_MAX, AT(attribute_count)},
    {OPT_IDLE, VALUE_NUMBER, AT(idle_s), 1, UINT32_MAX, 0},
    {OPT_MAX, VALUE_NUMBER, AT(max_s), 1, UINT32_MAX, 0},
    {OPT_USER_AGENT, VALUE_TEXT, AT(user_agent), 0, 0, 0},
    {OPT_IP, VALUE_TEXT, AT(ip), 0, 0, 0},
    {OPT_LABEL, VALUE_TEXT, AT(label), 0, 0, 0},
    {OPT_PEEK, VALUE_FLAG, AT(peek), 0, 0, 0},
    {OPT_REMOVE, VALUE_WORDS, AT(remove), 0, ATTRIBUTES_MAX, AT(remove_count)},
    {OPT_EXPECT, VALUE_NUMBER_64, AT(expected_version), 1, UINT64_MAX, 0},
    {OPT_REASON, VALUE_REASON, AT(reason), 0, 0, 0},
    {OPT_EXCEPT, VALUE_WORD, AT(except), 0, 0, 0},
    {OPT_ANONYMOUS, VALUE_FLAG, AT(anonymous), 0, 0, 0},
    {OPT_PROMOTE, VALUE_WORD, AT(promote), 0, 0, 0},
    {OPT_AAL, VALUE_NUMBER, AT(aal), 1, AAL_MAX, 0},
    {OPT_AMR, VALUE_WORDS, AT(amr), 0, AMR_MAX, AT(amr_count)},
    {OPT_WITHIN, VALUE_NUMBER, AT(within_s), 1, UINT32_MAX, 0},
    {OPT_PRIVILEGED, VALUE_FLAG, AT(privileged), 0, 0, 0},
    {OPT_GRACE, VALUE_NUMBER, AT(grace_s), 0, UINT32_MAX, AT(has_grace)},
    {OPT_BEFORE, VALUE_TIME, AT(before_ms), 0, 0, 0},
    {OPT_TOKEN, VALUE_WORDS, AT(tokens), 0, TOKENS_MAX, AT(token_count)},
    {OPT_CURSOR, VALUE_WORD, AT(cursor), 0, 0, 0},
    {OPT_COUNT, VALUE_NUMBER_64, AT(count), 1, UINT64_MAX, 0},
    {OPT_ROLE, VALUE_WORD, AT(role), 0, 0, 0},
    {OPT_REPLACE, VALUE_FLAG, AT(replace), 0, 0, 0},
    {OPT_NUMBER, VALUE_WORDS, AT(numbers), 0, ATTRIBUTES_MAX, AT(number_count)},
    {OPT_EXPECT_NONE, VALUE_FLAG, AT(expect_none), 0, 0, 0},
    {OPT_TIER, VALUE_WORD, AT(tier), 0, 0, 0},
    {OPT_CONSUMER, VALUE_WORD, AT(consumer), 0, 0, 0},
    {OPT_REDELIVER, VALUE_SECONDS, AT(redeliver_ms), 1, UINT32_MAX, 0},
    {OPT_DELIVERIES, VALUE_NUMBER, AT(deliveries_max), 1, DELIVERIES_MAX, 0},
    {OPT_AFTER, VALUE_WORD, AT(after), 0, 0, 0},
    {OPT_AT, VALUE_DAY, AT(at_ms), 0, 0, 0},
    {OPT_FROM, VALUE_DAY, AT(from_ms), 0, 0, 0},
    {OPT_TO, VALUE_DAY, AT(to_ms), 0, 0, 0},
    {OPT_HOURLY, VALUE_FLAG, AT(by_hour), 0, 0, 0},
    {OPT_GROUP, VALUE_WORDS, AT(groups), 0, GROUPS_MAX, AT(group_count)},
    {OPT_WAIT, VALUE_SECONDS, AT(wait_ms), 1, LK_TIMEOUT_MS_MAX, 0},
    {OPT_LEASE, VALUE_SECONDS, AT(lease_ms), 10, 60000, 0},
    {OPT_NO_LEASE, VALUE_FLAG, AT(no_lease), 0, 0, 0},
    {OPT_NEGATIVE, VALUE_FLAG, AT(negative), 0, 0, 0},
    {OPT_TTL, VALUE_SECONDS, AT(ttl_ms), 1, UINT32_MAX, 0},
    {OPT_ALGORITHM, VALUE_ALGORITHM, AT(algorithm), 0, 0, 0},
    {OPT_LIMIT, VALUE_NUMBER, AT(limit), 1, TAKEN_MAX, 0},
    {OPT_PER, VALUE_SECONDS, AT(per_ms), 1, SPAN_MS_MAX, 0},
    {OPT_BURST, VALUE_NUMBER, AT(burst), 1, TAKEN_MAX, 0},
    {OPT_COST, VALUE_NUMBER, AT(cost), 1, TAKEN_MAX, 0},
    {OPT_CALLERS, VALUE_NUMBER, AT(bench.callers), 1, BENCH_CALLERS_MAX, 0},
    {OPT_RATE, VALUE_NUMBER, AT(bench.rate), 1, BENCH_RATE_MAX, 0},
    {OPT_ARRIVALS, VALUE_ARRIVALS, AT(bench.is_even), 0, 0, AT(bench.has_arrivals)},
    {OPT_MIX, VALUE_WORD, AT(bench.mix), 0, 0, 0},
    {OPT_CONNECTIONS, VALUE_NUMBER, AT(bench.connections), 1, BENCH_CONNECTIONS_MAX, 0},
    {OPT_SECONDS, VALUE_NUMBER, AT(bench.seconds), 1, BENCH_SECONDS_MAX, 0},
    {OPT_WARMUP, VALUE_NUMBER, AT(bench.warmup_s), 0, BENCH_SECONDS_MAX, 0},
    {OPT_SESSIONS, VALUE_NUMBER, AT(bench.sessions), 1, BENCH_SESSIONS_MAX, 0},
    {OPT_VALUE_BYTES, VALUE_NUMBER, AT(bench.value_bytes), 0, BENCH_VALUE_BYTES_MAX, 0},
    {OPT_USER_COUNT, VALUE_NUMBER, AT(bench.user_count), 1, BENCH_SESSIONS_MAX, 0},
    {OPT_PROGRESS, VALUE_FLAG, AT(bench.progress), 0, 0, 0},
};

static uint64_t read_number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number < min || number > max)
		FAIL("%s \"%s\": not a number from %llu to %llu", name, text, (unsigned long long)min,
		     (unsigned long long)max);
	return number;
}

static uint32_t read_seconds(const char *name, const char *text, uint64_t min_ms, uint64_t max_ms)
{
	double min_s = (double)min_ms / 1000.0, max_s = (double)max_ms / 1000.0;
	char *end;
	double seconds = strtod(text, &end);

	/* strtod reads more than people write: 0x5, inf, 1e2. */
	if (text[strspn(text, "0123456789.")] != '\0' || *end != '\0' || !(seconds >= min_s && seconds <= max_s))
		FAIL("%s \"%s\": not a number of seconds from %.3g to %.0f", name, text, min_s, max_s);
	return (uint32_t)(seconds * 1000.0 + 0.5);
}

static enum lk_reason read_reason(const char *name, const char *text)
{
	if (strcmp(text, "logout") == 0)
		return LK_REASON_LOGOUT;
	if (strcmp(text, "admin") == 0)
		return LK_REASON_ADMIN;
	if (strcmp(text, "credential-change") == 0)
		return LK_REASON_CREDENTIAL_CHANGE;
	FAIL("%s \"%s\": not logout, admin or credential-change", name, text);
}

static bool read_arrivals(const char *name, const char *text)
{
	if (strcmp(text, "poisson") != 0 && strcmp(text, "even") != 0)
		FAIL("%s \"%s\": not poisson or even", name, text);
	return strcmp(text, "even") == 0;
}

static enum lk_limit_algorithm read_algorithm(const char *name, const char *text)
{
	static const char *const names[] = {
	    [LK_LIMIT_GCRA] = "gcra",
	    [LK_LIMIT_SLIDING_WINDOW] = "sliding-window",
	    [LK_LIMIT_FIXED_WINDOW] = "fixed-window",
	    [LK_LIMIT_TOKEN_BUCKET] = "token-bucket",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			return (enum lk_limit_algorithm)i;
	FAIL("%s \"%s\": not gcra, sliding-window, fixed-window or token-bucket", name, text);
}

/* "2026-01-31T12:00:00Z", as the command prints it, with or without a fraction. */
static uint64_t read_time(const char *name, const char *text)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	const int day = parts.tm_mday;
	unsigned ms = 0, unit = 100;
	time_t seconds;

	if (rest != NULL && *rest == '.' && isdigit((unsigned char)rest[1]))
		for (rest++; isdigit((unsigned char)*rest); rest++, unit /= 10)
			ms += unit * (unsigned)(*rest - '0');
	seconds = rest != NULL ? timegm(&parts) : -1;
	/* timegm would make the 2nd of March of the 30th of February. */
	if (rest == NULL || strcmp(rest, "Z") != 0 || seconds <= 0 || parts.tm_mday != day)
		FAIL("%s \"%s\": not a time in UTC such as 2026-01-31T12:00:00Z", name, text);
	return (uint64_t)seconds * 1000 + ms;
}

/* What is counted by days is asked for by days. */
static uint64_t read_day(const char *name, const char *text)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%d", &parts);
	const int day = parts.tm_mday;
	time_t seconds;

	if (rest == NULL || *rest != '\0')
		return read_time(name, text);
	seconds = timegm(&parts);
	if (seconds <= 0 || parts.tm_mday != day)
		FAIL("%s \"%s\": not a day in UTC such as 2026-01-31", name, text);
	return (uint64_t)seconds * 1000;
}

/* An empty word would mean the default: not what a script with an unset variable asks for, least of all where it says
 * which sessions to end or to spare. What merely describes a device may be empty. */
static void check_word(enum option_key key, const char *name, const char *arg)
{
	if (key == OPT_SERVER && arg[strspn(arg, ",")] == '\0')
		FAIL("%s \"%s\": names no server", name, arg);
	if (arg[0] == '\0')
		FAIL("%s \"\": must not be empty", name);
}

static void add(const char *name, const char **list, unsigned *count, unsigned max, const char *text)
{
	if (*count == max)
		FAIL("%s is given more than %u times", name, max);
	list[(*count)++] = text;
}

static const struct value_row *row_of(enum option_key key)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].key == key)
			return &rows[i];
	return NULL;
}

void value_take(struct line *line, enum option_key key, const char *name, const char *arg)
{
	const struct value_row *row = row_of(key);
	char *base = (char *)line;
	void *at;

	assert(row != NULL && "an option without a kind of value");
	at = base + row->at;
	switch (row->kind) {
	case VALUE_FLAG:
		*(bool *)at = true;
		break;
	case VALUE_WORD:
		check_word(key, name, arg);
		*(const char **)at = arg;
		break;
	case VALUE_TEXT:
		*(const char **)at = arg;
		break;
	case VALUE_WORDS:
		/* What is said of empty ones of the others, is said where they are used. */
		if (key == OPT_GROUP)
			check_word(key, name, arg);
		add(name, at, (unsigned *)(void *)(base + row->also), (unsigned)row->max, arg);
		break;
	case VALUE_NUMBER:
		*(uint32_t *)at = (uint32_t)read_number(name, arg, row->min, row->max);
		if (row->also > 0)
			*(bool *)(base + row->also) = true;
		break;
	case VALUE_NUMBER_64:
		*(uint64_t *)at = read_number(name, arg, row->min, row->max);
		break;
	case VALUE_SECONDS:
		*(uint32_t *)at = read_seconds(name, arg, row->min, row->max);
		break;
	case VALUE_TIME:
		*(uint64_t *)at = read_time(name, arg);
		break;
	case VALUE_DAY:
		*(uint64_t *)at = read_day(name, arg);
		break;
	case VALUE_REASON:
		*(enum lk_reason *)at = read_reason(name, arg);
		break;
	case VALUE_ALGORITHM:
		*(enum lk_limit_algorithm *)at = read_algorithm(name, arg);
		break;
	case VALUE_ARRIVALS:
		*(bool *)at = read_arrivals(name, arg);
		*(bool *)(base + row->also) = true;
		break;
	}
}
