#include "redis/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/greeting.h"
#include "redis/script.h"
#include "support/wait.h"

/* A reply as text: (nil) 7 "string" +status -error [a b c]. */
struct text {
	char bytes[4096];
	size_t len;
	unsigned replies;
	unsigned stop_after; /* 0: never */
};

static void write_reply(struct text *t, const struct store_reply *r);

static void put(struct text *t, const char *head, span s, const char *tail)
{
	int n = snprintf(t->bytes + t->len, sizeof(t->bytes) - t->len, "%s%.*s%s", head, SPAN_FMT(s), tail);

	assert_true(n >= 0);
	t->len += (size_t)n;
	if (t->len >= sizeof(t->bytes))
		t->len = sizeof(t->bytes) - 1;
}

static void write_array(struct text *t, const struct store_reply *r)
{
	put(t, "[", SPAN_EMPTY, "");
	for (size_t i = 0; i < r->count; i++) {
		if (i > 0)
			put(t, " ", SPAN_EMPTY, "");
		write_reply(t, r->elements[i]);
	}
	put(t, "]", SPAN_EMPTY, "");
}

static void write_reply(struct text *t, const struct store_reply *r)
{
	char number[24];

	switch (r->type) {
	case STORE_NIL:
		put(t, "(nil)", SPAN_EMPTY, "");
		break;
	case STORE_INTEGER:
		(void)snprintf(number, sizeof(number), "%lld", (long long)r->integer);
		put(t, number, SPAN_EMPTY, "");
		break;
	case STORE_STRING:
		put(t, "\"", r->string, "\"");
		break;
	case STORE_STATUS:
		put(t, "+", r->string, "");
		break;
	case STORE_ERROR:
		put(t, "-", r->string, "");
		break;
	default:
		write_array(t, r);
	}
}

static bool take(void *owner, const struct store_reply *reply)
{
	struct text *t = owner;

	write_reply(t, reply);
	put(t, ";", SPAN_EMPTY, "");
	t->replies++;
	return t->replies != t->stop_after;
}

static bool read_in_steps(const char *bytes, size_t len, size_t step, struct text *ret)
{
	resp_reader *r = resp_reader_new();
	bool ok = true;

	assert_non_null(r);
	*ret = (struct text){0};
	for (size_t at = 0; at < len && ok; at += step)
		ok = resp_reader_input(r, span_of(bytes + at, len - at < step ? len - at : step), take, ret);
	resp_reader_free(&r);
	assert_null(r);
	return ok;
}

static const struct {
	const char *bytes;
	const char *text;
} good[] = {
    {"+OK\r\n", "+OK;"},
    {"-ERR no\r\n", "-ERR no;"},
    {":0\r\n:-1\r\n:9223372036854775807\r\n", "0;-1;9223372036854775807;"},
    {"$5\r\nhello\r\n", "\"hello\";"},
    {"$0\r\n\r\n", "\"\";"},
    {"$4\r\n\r\n\r\n\r\n", "\"\r\n\r\n\";"},
    {"$-1\r\n", "(nil);"},
    {"*-1\r\n", "(nil);"},
    {"*0\r\n", "[];"},
    {"*3\r\n:1\r\n$1\r\nx\r\n*-1\r\n", "[1 \"x\" (nil)];"},
    {"*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n+a\r\n+b\r\n", "[[1 []] [+a]];+b;"},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:7\r\n:8\r\n", "[[[[[[[7]]]]]]];8;"},
};

static void reads_whatever_the_split(void **state)
{
	struct text t;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t len = strlen(good[i].bytes);

		for (size_t step = 1; step <= len; step++) {
			assert_true(read_in_steps(good[i].bytes, len, step, &t));
			assert_string_equal(t.bytes, good[i].text);
		}
	}
}

static void waits_for_the_rest(void **state)
{
	struct text t;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t len = strlen(good[i].bytes);

		for (size_t cut = 0; cut < len; cut++) {
			assert_true(read_in_steps(good[i].bytes, cut, cut + 1, &t));
			assert_true(strncmp(t.bytes, good[i].text, t.len) == 0 && t.len < strlen(good[i].text));
		}
	}
}

static void refuses_what_is_no_resp2(void **state)
{
	static const char *const bad[] = {
	    "hello\r\n",
	    "\r\n",
	    "HTTP/1.1 400 Bad Request\r\n",
	    "$-2\r\n",
	    "$x\r\n",
	    "*-2\r\n",
	    "*x\r\n",
	    ":x\r\n",
	    "*65537\r\n",
	    "*2147483647\r\n",
	    "*2147483648\r\n",
	    "*9223372036854775807\r\n",
	    "*99999999999999999999\r\n",
	    "$99999999999999999999\r\n",
	    "*1\r\n*65537\r\n",
	    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:7\r\n",
	    "%1\r\n+a\r\n+b\r\n",
	    "~1\r\n+a\r\n",
	    ">1\r\n+a\r\n",
	    ",3.14\r\n",
	    "#t\r\n",
	    "(123\r\n",
	    "=7\r\ntxt:abc\r\n",
	    "*1\r\n#f\r\n",
	};
	struct text t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t step = 1; step <= strlen(bad[i]); step++) {
			if (read_in_steps(bad[i], strlen(bad[i]), step, &t))
				fail_msg("taken in steps of %zu: %s", step, bad[i]);
			assert_string_equal(t.bytes, "");
		}
	}
}

/* Feeds `chunk` again and again; returns the bytes after which the reader refused, 0 when it took `max`. */
static size_t feed_until_refused(const char *head, const char *chunk, size_t max)
{
	resp_reader *r = resp_reader_new();
	struct text t = {0};
	size_t fed = 0;
	bool ok = resp_reader_input(r, span_str(head), take, &t);

	while (ok && fed < max) {
		ok = resp_reader_input(r, span_str(chunk), take, &t);
		fed += strlen(chunk);
	}
	resp_reader_free(&r);
	return ok ? 0 : fed;
}

static void bounds_the_memory(void **state)
{
	static char chunk[65537];
	const size_t slack = 65536 + 4096;
	size_t refused;

	(void)state;
	memset(chunk, 'x', sizeof(chunk) - 1);
	refused = feed_until_refused("$500000000\r\n", chunk, 4 * RESP_REPLY_BYTES_MAX);
	assert_in_range(refused, RESP_REPLY_BYTES_MAX - slack, RESP_REPLY_BYTES_MAX + slack);
	refused = feed_until_refused("+", chunk, 4 * RESP_REPLY_BYTES_MAX);
	assert_in_range(refused, RESP_REPLY_BYTES_MAX - slack, RESP_REPLY_BYTES_MAX + slack);
	/* Few bytes that ask for much: 512 KiB of pointers each. */
	refused = feed_until_refused("*65536\r\n", "*65536\r\n", 1024);
	assert_in_range(refused, 8, 256);
	/* As many small elements as may be; and nested, far more. */
	assert_int_equal(feed_until_refused("*65536\r\n", ":1\r\n", (size_t)4 * 65536), 0);
	refused = feed_until_refused("*65536\r\n", "*1\r\n:1\r\n", (size_t)8 * 65536);
	assert_in_range(refused, 1, (size_t)8 * 65536);
}

static void takes_a_reply_of_some_mib(void **state)
{
	enum { BYTES = 4 * 1024 * 1024 };
	char *bytes = malloc(BYTES + 64);
	int head = snprintf(bytes, 64, "$%d\r\n", BYTES);
	struct text t;

	(void)state;
	memset(bytes + head, 'y', BYTES);
	memcpy(bytes + head + BYTES, "\r\n+OK\r\n", 8);
	assert_true(read_in_steps(bytes, (size_t)head + BYTES + 7, 100000, &t));
	assert_int_equal(t.replies, 2);
	free(bytes);
}

static void stops_when_told(void **state)
{
	resp_reader *r = resp_reader_new();
	struct text t = {.stop_after = 2};

	(void)state;
	assert_true(resp_reader_input(r, SPAN_LIT(":1\r\n:2\r\n:3\r\n"), take, &t));
	assert_string_equal(t.bytes, "1;2;");
	resp_reader_free(&r);
}

static size_t encode(const struct store_command *c, enum resp_form form, char *out)
{
	struct resp_request request;
	size_t len = 0;

	memset(&request, 0xa5, sizeof(request));
	resp_encode(c, form, &request);
	for (size_t i = 0; i < request.count; i++) {
		memcpy(out + len, request.parts[i].iov_base, request.parts[i].iov_len);
		len += request.parts[i].iov_len;
	}
	out[len] = '\0';
	return len;
}

static void encodes_commands(void **state)
{
	const struct store_command get = {.argc = 4,
					  .argv = {SPAN_LIT("GETEX"), SPAN_LIT("k\0\r\n"), SPAN_LIT("PX"), SPAN_EMPTY}};
	static const char get_bytes[] = "*4\r\n$5\r\nGETEX\r\n$4\r\nk\0\r\n\r\n$2\r\nPX\r\n$0\r\n\r\n";
	const struct store_command script = {
	    .script = STORE_SCRIPT_SESSION_PEEK, .key_count = 1, .argc = 2, .argv = {SPAN_LIT("key"), SPAN_LIT("a")}};
	const struct script *peek = script_get(STORE_SCRIPT_SESSION_PEEK);
	char *out = malloc(65536);
	char *expected = malloc(65536);

	(void)state;
	assert_int_equal(encode(&get, RESP_BY_HASH, out), sizeof(get_bytes) - 1);
	assert_memory_equal(out, get_bytes, sizeof(get_bytes));
	(void)encode(&script, RESP_BY_HASH, out);
	(void)snprintf(expected, 65536, "*5\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n1\r\n$3\r\nkey\r\n$1\r\na\r\n",
		       peek->sha1);
	assert_string_equal(out, expected);
	(void)encode(&script, RESP_BY_SOURCE, out);
	(void)snprintf(expected, 65536, "*5\r\n$4\r\nEVAL\r\n$%zu\r\n%.*s\r\n$1\r\n1\r\n$3\r\nkey\r\n$1\r\na\r\n",
		       peek->source.len, SPAN_FMT(peek->source));
	assert_string_equal(out, expected);
	free(out);
	free(expected);
}

/* The longest command has room, and what is sent parses as what was meant: a request is a RESP array itself. */
static void encodes_the_longest(void **state)
{
	struct store_command c = {.script = STORE_SCRIPT_SESSION_CREATE, .key_count = 12, .argc = STORE_ARGS_MAX};
	char value[100];
	char *out = malloc(65536);
	struct text t;

	(void)state;
	memset(value, 'v', sizeof(value));
	for (size_t i = 0; i < STORE_ARGS_MAX; i++)
		c.argv[i] = span_of(value, sizeof(value));
	assert_true(read_in_steps(out, encode(&c, RESP_BY_HASH, out), 65536, &t));
	assert_int_equal(t.replies, 1);
	assert_non_null(strstr(t.bytes, "\"12\" \"vvv"));
	free(out);
}

static void scripts_are_the_files(void **state)
{
	(void)state;
	for (enum store_script id = STORE_NO_SCRIPT + 1; id < STORE_SCRIPTS; id++) {
		const struct script *s = script_get(id);
		static char bytes[65536];
		char path[200];
		FILE *file;

		(void)snprintf(path, sizeof(path), "%s/%s.lua", SCRIPTS_DIR, s->name);
		file = fopen(path, "rb");
		assert_non_null(file);
		assert_int_equal(fread(bytes, 1, sizeof(bytes), file), s->source.len);
		(void)fclose(file);
		assert_memory_equal(bytes, s->source.ptr, s->source.len);
		assert_int_equal(strlen(s->sha1), 40);
	}
}

static void greeting_reads_the_version(void **state)
{
	static const struct {
		const char *info;
		const char *version;
		bool is_served;
	} rows[] = {
	    {"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n", "7.0.15", true},
	    {"redis_version:8.0.2-rc1", "8.0.2-rc1", true},
	    {"redis_version:10.1\r\n", "10.1", true},
	    {"redis_version:6.2.14\r\n", "6.2.14", false},
	    {"redis_version:\x1b[2J\r\n", "?[2J", false},
	    {"redis_version:7.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "7.aaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	     true},
	    {"nothing", "", true},
	    {"", "", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct store_reply reply = {.type = STORE_STRING, .string = span_str(rows[i].info)};
		struct greeting_result result = {0};

		assert_true(greeting_answer(GREETING_INFO, &reply, &result));
		assert_string_equal(result.info.version, rows[i].version);
		assert_int_equal(greeting_version_is_served(result.info.version), rows[i].is_served);
	}
}

static void greeting_asks_what_is_needed(void **state)
{
	const struct greeting_settings none = {0};
	const struct greeting_settings all = {.user = "u", .password = "p", .db = 4};
	struct greeting_scratch scratch;
	struct store_command c;
	char out[256];

	(void)state;
	assert_false(greeting_command(GREETING_AUTH, &none, &scratch, &c));
	assert_false(greeting_command(GREETING_SELECT, &none, &scratch, &c));
	assert_true(greeting_command(GREETING_AUTH, &all, &scratch, &c));
	(void)encode(&c, RESP_BY_HASH, out);
	assert_string_equal(out, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n");
	assert_true(greeting_command(GREETING_SELECT, &all, &scratch, &c));
	(void)encode(&c, RESP_BY_HASH, out);
	assert_string_equal(out, "*2\r\n$6\r\nSELECT\r\n$1\r\n4\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_whatever_the_split),
	    cmocka_unit_test(waits_for_the_rest),
	    cmocka_unit_test(refuses_what_is_no_resp2),
	    cmocka_unit_test(bounds_the_memory),
	    cmocka_unit_test(takes_a_reply_of_some_mib),
	    cmocka_unit_test(stops_when_told),
	    cmocka_unit_test(encodes_commands),
	    cmocka_unit_test(encodes_the_longest),
	    cmocka_unit_test(scripts_are_the_files),
	    cmocka_unit_test(greeting_reads_the_version),
	    cmocka_unit_test(greeting_asks_what_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
